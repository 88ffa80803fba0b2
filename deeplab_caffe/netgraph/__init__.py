"""A net as a picture: its layers as a graph that folds what repeats, as a page (HTML) or a drawing (SVG).

cards       what is told of each layer
stacks      a box each: a layer and, on it, those that work on its output alone
blocks      the graph as columns and rows, what repeats folded
layout      where everything is drawn
svg, page   the drawing and the page
"""

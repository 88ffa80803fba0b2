"""Names of the classes of the data sets that the DeepLab papers use, in the order of their labels."""

Colour = tuple[int, int, int]  # red, green, blue

VOC = tuple(
    """
    background aeroplane bicycle bird boat bottle bus car cat chair cow table dog horse motorbike person plant
    sheep sofa train monitor
    """.split()
)

# PASCAL-Context: the 20 objects of VOC under the names that its 459 labels have, then the rest.
_CONTEXT_OBJECTS = """
    aeroplane bicycle bird boat bottle bus car cat chair cow table dog horse motorbike person pottedplant
    sheep sofa train tvmonitor
    """
CONTEXT_59 = tuple(
    f"""{_CONTEXT_OBJECTS}
    bag bed bench book building cabinet ceiling cloth computer cup door fence floor flower food grass ground
    keyboard light mountain mouse curtain platform sign plate road rock shelves sidewalk sky snow bedclothes
    track tree truck wall water window wood
    """.split()
)
CONTEXT_33 = tuple(
    f"""{_CONTEXT_OBJECTS}
    sky grass ground road building tree water mountain wall floor track keyboard ceiling
    """.split()
)

# The classes that Cityscapes trains and tests on, by their train ids.
CITYSCAPES: dict[str, Colour] = {
    "road": (128, 64, 128),
    "sidewalk": (244, 35, 232),
    "building": (70, 70, 70),
    "wall": (102, 102, 156),
    "fence": (190, 153, 153),
    "pole": (153, 153, 153),
    "traffic light": (250, 170, 30),
    "traffic sign": (220, 220, 0),
    "vegetation": (107, 142, 35),
    "terrain": (152, 251, 152),
    "sky": (70, 130, 180),
    "person": (220, 20, 60),
    "rider": (255, 0, 0),
    "car": (0, 0, 142),
    "truck": (0, 0, 70),
    "bus": (0, 60, 100),
    "train": (0, 80, 100),
    "motorcycle": (0, 0, 230),
    "bicycle": (119, 11, 32),
}

CAMVID: dict[str, Colour] = {
    "sky": (128, 128, 128),
    "building": (128, 0, 0),
    "pole": (192, 192, 128),
    "road": (128, 64, 128),
    "pavement": (60, 40, 222),
    "tree": (128, 128, 0),
    "sign": (192, 128, 128),
    "fence": (64, 64, 128),
    "car": (64, 0, 128),
    "pedestrian": (64, 64, 0),
    "bicyclist": (0, 128, 192),
}

# What options --palette take beside files.
PALETTES = "voc, context, context33, camvid, cityscapes"

"""From a photo to class scores and labels."""

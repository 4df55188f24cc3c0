"""The colours of the pictures: blue, green, red."""

Colour = tuple[int, int, int]

# White is kept for the figures, amber for warnings.
WHITE, PALE, DIM, LINE = (245, 245, 245), (190, 190, 190), (135, 135, 135), (62, 62, 62)
BACKDROP = (20, 20, 20)
ENDOCARDIUM, WALL, AMBER, GREEN = (205, 225, 80), (215, 130, 70), (50, 165, 255), (130, 190, 110)

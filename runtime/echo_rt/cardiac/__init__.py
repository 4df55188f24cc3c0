"""What the heart does, from the labels of its frames: ventricle, quality, beats and the rolling ejection fraction.

May import the ground floor alone. The monitor is the only object with a history.
"""

"""What the heart does, from the labels of its frames: ventricle, quality, beats and the rolling ejection fraction."""

"""Sequences of images in the formats of research software: NIfTI, MetaImage and NRRD, as one recording `VolumeCine`.

May import the ground floor and the modules of `sources`; nibabel and pynrrd are imported by what opens such a file.
"""

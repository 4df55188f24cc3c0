"""The DICOM node: takes ultrasound cines over the network, stores them, has them processed and sends reports back.

A journal on the disk (`journal.py`) holds how far each instance is, so that a kill at any moment loses none.
May import the wings, the ground floor, `pipeline` and what lies below it, and `viewer`; pynetdicom and pydicom are
imported by the modules that use them.
"""

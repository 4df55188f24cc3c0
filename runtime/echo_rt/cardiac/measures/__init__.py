"""Everything else that the contour knows: longitudinal strain, MAPSE, stroke volume, atrial volumes, rates and times.

One module a measure, or a family of them: small pure functions of a beat's samples, and a line of registration each in
`table`. May import the rest of `cardiac`, but for the monitor and the recording, and the ground floor.
"""

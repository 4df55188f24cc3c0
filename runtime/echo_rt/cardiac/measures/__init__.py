"""Everything else that the contour knows: longitudinal strain, MAPSE, stroke volume, atrial volumes, rates and times.

One module a measure, or a family of them: small pure functions of a beat's samples, and a line of registration each in
`table`.
"""

"""What a network looks at, and what it has learned, as pictures for one image or clip: `echo-rt explain`.

May import the ground floor, `sources`, `engine` and `outputs` of `echo_rt`, `echo_rt_network`, and `evaluate.output`.
"""

"""What a network looks at, and what it has learned, as pictures for one image or clip: `echo-rt explain`.

May import `echo_rt`, `echo_rt_network`, and of `echo_rt_train.evaluate` what draws a sheet.
"""

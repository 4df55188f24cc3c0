"""The settings of `echo-rt train` as Hydra reads them: train.yaml, losses, and the experiments of the shipped models.

Holds YAML alone; a package, so that it is found wherever echo-rt is installed.
"""

"""A feed that is followed until somebody ends it: the newest frame always, whatever happens to the source or to those
who look on."""

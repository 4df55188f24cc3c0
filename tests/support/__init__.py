"""What several test files need: toy models, drawn hearts, stand-ins for libraries and devices."""

"""Training, accuracy and use of the multitask surrogate. Importing it imports nothing heavy."""

"""The parts of training that all tasks share: trainer, checkpoints, runs, schedules and options."""

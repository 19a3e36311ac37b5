"""What all tasks share: trainer, checkpoints, runs, schedules and options."""

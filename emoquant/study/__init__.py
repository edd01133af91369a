"""Plan and execution of many trainings and evaluations: what the data allow, in which order, what is finished."""

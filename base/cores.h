/* How many cores this process may use: what `sweep` starts processes by, unless told otherwise. */
#ifndef BASE_CORES_H
#define BASE_CORES_H

/* The least of: the cores of its affinity (taskset; the machine's, where there is no affinity),
 * the processor time of its control groups, and inside a Slurm job the cores of the task. At least
 * 1. */
int cores_usable(void);

/* Its parts; INT_MAX stands for no limit. Files are read under `root`: "" but in tests. */
int cores_of_cgroups(const char *root);
int cores_of_slurm(void);

#endif

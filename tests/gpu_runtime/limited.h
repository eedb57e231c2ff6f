/* limited.h: included into the runtime that tests link, so that its allocations can fail. */
#ifndef SHEAF_TESTS_GPU_RUNTIME_LIMITED_H
#define SHEAF_TESTS_GPU_RUNTIME_LIMITED_H

/* Defined in gpu_bundles.h. */
int limited_may_allocate(void);
#define SHEAF_MAY_ALLOCATE limited_may_allocate

#endif

/* limited.h: included into the runtimes that tests link, so that their allocations can fail. */
#ifndef SHEAF_TESTS_LIMITED_H
#define SHEAF_TESTS_LIMITED_H

/* Defined in runtime.h. */
int limited_may_allocate(void);
#define SHEAF_MAY_ALLOCATE limited_may_allocate

#endif

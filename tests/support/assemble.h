/*
 * assemble.h: NVIDIA's assembler, where it is installed, as a second opinion on what is emitted.
 */
#ifndef SHEAF_TESTS_ASSEMBLE_H
#define SHEAF_TESTS_ASSEMBLE_H

#include "tests/support/compiled.h"

const char *assemble_program(void); /* NULL: it is not installed */

/* Whether it takes the code, for the least processor and for the newest that it knows.  Without it
   all code is good; but in check-full, so is all but one in eight. */
bool assemble_takes(struct compiled *c, struct error *err);

#endif

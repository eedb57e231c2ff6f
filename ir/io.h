/*
 * io.h: bytes through file descriptors, and processes that were started here.
 */
#ifndef SHEAF_IR_IO_H
#define SHEAF_IR_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#include "ir/arena.h"

/* All of it, however many calls that takes; false on failure, with errno where the system gave a
   reason, and where there is less to read. */
bool io_write_all(int fd, const void *data, size_t size);
bool io_read_all(int fd, void *data, size_t size);

/* Waits for a child; returns its status as waitpid does.  `said` is the file that its messages went
   to, NULL where there is none; `line` receives the first of them. */
int io_wait(pid_t child, FILE *said, char *line, size_t size);

/* The file of a program that $PATH leads to; NULL where there is none. */
const char *io_find_program(struct arena *a, const char *name);
/* Runs a program, argv[0] its file, in a folder; the rest as io_wait.  -1, with errno: it could not
   be started. */
int io_run(const char *dir, const char *const *argv, char *line, size_t size);

#endif

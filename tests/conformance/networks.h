/*
 * networks.h: real networks on a device, which is simulated.  The tool compiles each and compares
 * what every kernel gave on random inputs with the evaluator; then it runs it on recorded inputs,
 * and the outputs must be the recorded ones.  What is computed in integers must also be what the
 * processor computes.
 */
#ifndef SHEAF_TESTS_CONFORMANCE_NETWORKS_H
#define SHEAF_TESTS_CONFORMANCE_NETWORKS_H

/* All networks, as tests of one program, on the device of the tool's option ("-gpu"), of which the
   build tree's simulator takes the part; returns what main does. */
int networks_run(const char *option);

#endif

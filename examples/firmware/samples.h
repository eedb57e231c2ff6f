/*
 * samples.h: what the network is run on: arrays that embed.c makes of files.
 */
#ifndef SAMPLES_H
#define SAMPLES_H

#include <stdint.h>

struct sample {
    const char *name;
    const uint8_t *data; /* as it lies in the network's input */
    uint32_t n_bytes;
};

extern const struct sample samples[];
extern const uint32_t n_samples;

#endif

/* version.h: the version of the tool, as it appears in every artefact. */
#ifndef SHEAF_IR_VERSION_H
#define SHEAF_IR_VERSION_H

#define SHEAF_VERSION "0.1.0"
#define SHEAF_TOOL    "sheaf " SHEAF_VERSION

#endif

/*
 * main.c: the tool.  All it does is in the library libsheaf.
 */
#include "loader/loader.h"

int main(int argc, char **argv)
{
    return sheaf_loader_main(argc, argv, stdout, stderr);
}

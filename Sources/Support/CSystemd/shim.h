// libsystemd, loaded for the moment that it is needed: it brings seven libraries and 1.5 MB of resident memory with it.
#include <dlfcn.h>
#include <errno.h>
#include <systemd/sd-id128.h>

/// sd_id128_get_machine_app_specific(3) for `application`, 32 hex digits or a UUID with hyphens, as 32 lower-case hex
/// digits with a NUL. 0, or a negative errno; -ELIBACC where there is no libsystemd.
static inline int csystemd_machine_app_specific(const char *application, char result[SD_ID128_STRING_MAX]) {
    void *library = dlopen("libsystemd.so.0", RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return -ELIBACC;
    __typeof__(sd_id128_from_string) *parse = dlsym(library, "sd_id128_from_string");
    __typeof__(sd_id128_get_machine_app_specific) *derive = dlsym(library, "sd_id128_get_machine_app_specific");
    __typeof__(sd_id128_to_string) *print = dlsym(library, "sd_id128_to_string");
    sd_id128_t purpose, id;
    int outcome = -ELIBACC;
    if (parse && derive && print) {
        outcome = parse(application, &purpose);
        if (outcome >= 0)
            outcome = derive(purpose, &id);
        if (outcome >= 0)
            print(id, result);
    }
    dlclose(library);
    return outcome < 0 ? outcome : 0;
}

// One function for each call of the PJRT C API, so that Go need not build its
// argument blocks. Blocks are zeroed and larger than any plugin expects; see
// the package documentation.

#ifndef SWEEP_PJRT_CALLS_H_
#define SWEEP_PJRT_CALLS_H_

#include "abi.h"

// sweep_open loads the library at path and returns its table of calls. If it
// cannot, it returns NULL and sets *why, which the caller frees.
const PJRT_Api *sweep_open(const char *path, char **why);

// sweep_preload loads the library at path for those that need it later, and
// returns NULL, or else why not, which the caller frees.
char *sweep_preload(const char *path);

// sweep_missing names a call that api lacks and this package cannot do
// without, or returns NULL.
const char *sweep_missing(const PJRT_Api *api);

// sweep_has_* say whether api has what only later versions do.
bool sweep_has_attributes(const PJRT_Api *api);
bool sweep_has_memory_stats(const PJRT_Api *api);
bool sweep_has_compiled_memory_stats(const PJRT_Api *api);

// Errors belong to the caller until sweep_error_destroy. A message lives as
// long as its error.
int sweep_error_code(const PJRT_Api *api, const PJRT_Error *error);
void sweep_error_message(const PJRT_Api *api, const PJRT_Error *error, const char **message, size_t *size);
void sweep_error_destroy(const PJRT_Api *api, PJRT_Error *error);

PJRT_Error *sweep_plugin_initialize(const PJRT_Api *api);
PJRT_Error *sweep_plugin_attributes(const PJRT_Api *api, const PJRT_NamedValue **values, size_t *n);

// Setters of options[i], which was zeroed. Names and strings must outlive it.
void sweep_option_string(PJRT_NamedValue *options, size_t i, const char *name, const char *value);
void sweep_option_int(PJRT_NamedValue *options, size_t i, const char *name, int64_t value);
void sweep_option_float(PJRT_NamedValue *options, size_t i, const char *name, float value);
void sweep_option_bool(PJRT_NamedValue *options, size_t i, const char *name, bool value);
// Getters of values[i], by its type.
const char *sweep_value_string(const PJRT_NamedValue *values, size_t i);
int64_t sweep_value_int(const PJRT_NamedValue *values, size_t i, size_t k);
double sweep_value_number(const PJRT_NamedValue *values, size_t i);

PJRT_Error *sweep_client_create(const PJRT_Api *api, const PJRT_NamedValue *options, size_t n, PJRT_Client **client);
PJRT_Error *sweep_client_destroy(const PJRT_Api *api, PJRT_Client *client);
PJRT_Error *sweep_client_platform_name(const PJRT_Api *api, PJRT_Client *client, const char **text, size_t *size);
PJRT_Error *sweep_client_platform_version(const PJRT_Api *api, PJRT_Client *client, const char **text, size_t *size);
PJRT_Error *sweep_client_devices(const PJRT_Api *api, PJRT_Client *client, PJRT_Device *const **devices, size_t *n);
PJRT_Error *sweep_device_describe(const PJRT_Api *api, PJRT_Device *device, PJRT_DeviceDescription **description);
PJRT_Error *sweep_device_id(const PJRT_Api *api, PJRT_DeviceDescription *description, int *id);
PJRT_Error *sweep_device_kind(const PJRT_Api *api, PJRT_DeviceDescription *description, const char **text, size_t *size);
// sweep_device_memory sets peak and limit to -1 where the device does not say.
PJRT_Error *sweep_device_memory(const PJRT_Api *api, PJRT_Device *device, int64_t *in_use, int64_t *peak, int64_t *limit);

PJRT_Error *sweep_compile(const PJRT_Api *api, PJRT_Client *client, char *code, size_t code_size, const char *options,
                          size_t options_size, PJRT_LoadedExecutable **executable);
PJRT_Error *sweep_get_executable(const PJRT_Api *api, PJRT_LoadedExecutable *loaded, PJRT_Executable **executable);
PJRT_Error *sweep_loaded_destroy(const PJRT_Api *api, PJRT_LoadedExecutable *executable);
PJRT_Error *sweep_executable_destroy(const PJRT_Api *api, PJRT_Executable *executable);
PJRT_Error *sweep_executable_outputs(const PJRT_Api *api, PJRT_Executable *executable, size_t *n);
PJRT_Error *sweep_executable_memory(const PJRT_Api *api, PJRT_Executable *executable, int64_t *arguments, int64_t *outputs,
                                    int64_t *aliased, int64_t *temporary, int64_t *code);

// sweep_execute runs on one device. It returns when the work is enqueued;
// *done becomes ready when it is complete.
PJRT_Error *sweep_execute(const PJRT_Api *api, PJRT_LoadedExecutable *executable, PJRT_Buffer *const *arguments, size_t n,
                          PJRT_Buffer **outputs, PJRT_Event **done);
PJRT_Error *sweep_event_await(const PJRT_Api *api, PJRT_Event *event);
PJRT_Error *sweep_event_destroy(const PJRT_Api *api, PJRT_Event *event);

// sweep_put copies data, dense and row-major, and returns the event after which
// data are no longer read.
PJRT_Error *sweep_put(const PJRT_Api *api, PJRT_Client *client, PJRT_Device *device, const void *data, int type,
                      const int64_t *dims, size_t n, PJRT_Buffer **buffer, PJRT_Event **done);
// sweep_get copies to data, which has size bytes, until *done is ready.
PJRT_Error *sweep_get(const PJRT_Api *api, PJRT_Buffer *buffer, void *data, size_t size, PJRT_Event **done);
// sweep_size asks how many bytes sweep_get needs.
PJRT_Error *sweep_size(const PJRT_Api *api, PJRT_Buffer *buffer, size_t *size);
PJRT_Error *sweep_buffer_deleted(const PJRT_Api *api, PJRT_Buffer *buffer, bool *deleted);
PJRT_Error *sweep_buffer_destroy(const PJRT_Api *api, PJRT_Buffer *buffer);

#endif

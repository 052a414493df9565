//go:build cgo && unix

#include "calls.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

// SPARE is how much larger than we know it a block is: room for some thirty
// fields of versions to come, all of them zero, which means "not given".
#define SPARE 256

// ARGS declares *args, a zeroed block of the given type with SPARE behind it.
#define ARGS(type)               \
  struct {                       \
    type block;                  \
    unsigned char spare[SPARE];  \
  } room;                        \
  memset(&room, 0, sizeof room); \
  type *args = &room.block;      \
  args->struct_size = sizeof room

// HAS says whether the table reaches to an entry, and has it.
#define HAS(api, name) \
  ((api)->struct_size >= offsetof(PJRT_Api, name) + sizeof((api)->name) && (api)->name != NULL)

const PJRT_Api *sweep_open(const char *path, char **why) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    *why = strdup(dlerror());
    return NULL;
  }
  const PJRT_Api *(*get)(void);
  *(void **)&get = dlsym(library, "GetPjrtApi");
  if (get == NULL) {
    *why = strdup("it has no function GetPjrtApi: it is a library, but no PJRT plugin");
    dlclose(library);
    return NULL;
  }
  const PJRT_Api *api = get();
  if (api == NULL) {
    *why = strdup("its function GetPjrtApi returns nothing");
  }
  return api;
}

char *sweep_preload(const char *path) {
  return dlopen(path, RTLD_NOW | RTLD_LOCAL) == NULL ? strdup(dlerror()) : NULL;
}

#define WANT(name) \
  if (!HAS(api, name)) return #name

const char *sweep_missing(const PJRT_Api *api) {
  WANT(PJRT_Error_Destroy);
  WANT(PJRT_Error_Message);
  WANT(PJRT_Error_GetCode);
  WANT(PJRT_Plugin_Initialize);
  WANT(PJRT_Event_Destroy);
  WANT(PJRT_Event_Await);
  WANT(PJRT_Client_Create);
  WANT(PJRT_Client_Destroy);
  WANT(PJRT_Client_PlatformName);
  WANT(PJRT_Client_PlatformVersion);
  WANT(PJRT_Client_AddressableDevices);
  WANT(PJRT_Client_Compile);
  WANT(PJRT_Client_BufferFromHostBuffer);
  WANT(PJRT_DeviceDescription_Id);
  WANT(PJRT_DeviceDescription_Kind);
  WANT(PJRT_Device_GetDescription);
  WANT(PJRT_Executable_Destroy);
  WANT(PJRT_Executable_NumOutputs);
  WANT(PJRT_LoadedExecutable_Destroy);
  WANT(PJRT_LoadedExecutable_GetExecutable);
  WANT(PJRT_LoadedExecutable_Execute);
  WANT(PJRT_Buffer_Destroy);
  WANT(PJRT_Buffer_IsDeleted);
  WANT(PJRT_Buffer_ToHostBuffer);
  return NULL;
}

bool sweep_has_attributes(const PJRT_Api *api) { return HAS(api, PJRT_Plugin_Attributes); }
bool sweep_has_memory_stats(const PJRT_Api *api) { return HAS(api, PJRT_Device_MemoryStats); }
bool sweep_has_compiled_memory_stats(const PJRT_Api *api) { return HAS(api, PJRT_Executable_GetCompiledMemoryStats); }

int sweep_error_code(const PJRT_Api *api, const PJRT_Error *error) {
  ARGS(PJRT_Error_GetCode_Args);
  args->error = error;
  PJRT_Error *second = api->PJRT_Error_GetCode(args);
  if (second != NULL) {
    sweep_error_destroy(api, second);
    return 2;  // UNKNOWN
  }
  return (int)args->code;
}

void sweep_error_message(const PJRT_Api *api, const PJRT_Error *error, const char **message, size_t *size) {
  ARGS(PJRT_Error_Message_Args);
  args->error = error;
  api->PJRT_Error_Message(args);
  *message = args->message;
  *size = args->message_size;
}

void sweep_error_destroy(const PJRT_Api *api, PJRT_Error *error) {
  ARGS(PJRT_Error_Destroy_Args);
  args->error = error;
  api->PJRT_Error_Destroy(args);
}

PJRT_Error *sweep_plugin_initialize(const PJRT_Api *api) {
  ARGS(PJRT_Plugin_Initialize_Args);
  return api->PJRT_Plugin_Initialize(args);
}

PJRT_Error *sweep_plugin_attributes(const PJRT_Api *api, const PJRT_NamedValue **values, size_t *n) {
  ARGS(PJRT_Plugin_Attributes_Args);
  PJRT_Error *error = api->PJRT_Plugin_Attributes(args);
  *values = args->attributes;
  *n = args->num_attributes;
  return error;
}

// Named values stand in arrays, so they have the size that all versions know.
static PJRT_NamedValue *name_option(PJRT_NamedValue *options, size_t i, const char *name, PJRT_NamedValue_Type type) {
  PJRT_NamedValue *v = &options[i];
  v->struct_size = sizeof *v;
  v->name = name;
  v->name_size = strlen(name);
  v->type = type;
  v->value_size = 1;
  return v;
}

void sweep_option_string(PJRT_NamedValue *options, size_t i, const char *name, const char *value) {
  PJRT_NamedValue *v = name_option(options, i, name, PJRT_NamedValue_kString);
  v->string_value = value;
  v->value_size = strlen(value);
}

void sweep_option_int(PJRT_NamedValue *options, size_t i, const char *name, int64_t value) {
  name_option(options, i, name, PJRT_NamedValue_kInt64)->int64_value = value;
}

void sweep_option_float(PJRT_NamedValue *options, size_t i, const char *name, float value) {
  name_option(options, i, name, PJRT_NamedValue_kFloat)->float_value = value;
}

void sweep_option_bool(PJRT_NamedValue *options, size_t i, const char *name, bool value) {
  name_option(options, i, name, PJRT_NamedValue_kBool)->bool_value = value;
}

const char *sweep_value_string(const PJRT_NamedValue *values, size_t i) { return values[i].string_value; }

int64_t sweep_value_int(const PJRT_NamedValue *values, size_t i, size_t k) {
  return values[i].type == PJRT_NamedValue_kInt64List ? values[i].int64_array_value[k] : values[i].int64_value;
}

double sweep_value_number(const PJRT_NamedValue *values, size_t i) {
  return values[i].type == PJRT_NamedValue_kBool ? values[i].bool_value : values[i].float_value;
}

PJRT_Error *sweep_client_create(const PJRT_Api *api, const PJRT_NamedValue *options, size_t n, PJRT_Client **client) {
  ARGS(PJRT_Client_Create_Args);
  args->create_options = options;
  args->num_options = n;
  PJRT_Error *error = api->PJRT_Client_Create(args);
  *client = args->client;
  return error;
}

PJRT_Error *sweep_client_destroy(const PJRT_Api *api, PJRT_Client *client) {
  ARGS(PJRT_Client_Destroy_Args);
  args->client = client;
  return api->PJRT_Client_Destroy(args);
}

PJRT_Error *sweep_client_platform_name(const PJRT_Api *api, PJRT_Client *client, const char **text, size_t *size) {
  ARGS(PJRT_Client_PlatformName_Args);
  args->client = client;
  PJRT_Error *error = api->PJRT_Client_PlatformName(args);
  *text = args->platform_name;
  *size = args->platform_name_size;
  return error;
}

PJRT_Error *sweep_client_platform_version(const PJRT_Api *api, PJRT_Client *client, const char **text, size_t *size) {
  ARGS(PJRT_Client_PlatformVersion_Args);
  args->client = client;
  PJRT_Error *error = api->PJRT_Client_PlatformVersion(args);
  *text = args->platform_version;
  *size = args->platform_version_size;
  return error;
}

PJRT_Error *sweep_client_devices(const PJRT_Api *api, PJRT_Client *client, PJRT_Device *const **devices, size_t *n) {
  ARGS(PJRT_Client_AddressableDevices_Args);
  args->client = client;
  PJRT_Error *error = api->PJRT_Client_AddressableDevices(args);
  *devices = args->addressable_devices;
  *n = args->num_addressable_devices;
  return error;
}

PJRT_Error *sweep_device_describe(const PJRT_Api *api, PJRT_Device *device, PJRT_DeviceDescription **description) {
  ARGS(PJRT_Device_GetDescription_Args);
  args->device = device;
  PJRT_Error *error = api->PJRT_Device_GetDescription(args);
  *description = args->device_description;
  return error;
}

PJRT_Error *sweep_device_id(const PJRT_Api *api, PJRT_DeviceDescription *description, int *id) {
  ARGS(PJRT_DeviceDescription_Id_Args);
  args->device_description = description;
  PJRT_Error *error = api->PJRT_DeviceDescription_Id(args);
  *id = args->id;
  return error;
}

PJRT_Error *sweep_device_kind(const PJRT_Api *api, PJRT_DeviceDescription *description, const char **text, size_t *size) {
  ARGS(PJRT_DeviceDescription_Kind_Args);
  args->device_description = description;
  PJRT_Error *error = api->PJRT_DeviceDescription_Kind(args);
  *text = args->device_kind;
  *size = args->device_kind_size;
  return error;
}

PJRT_Error *sweep_device_memory(const PJRT_Api *api, PJRT_Device *device, int64_t *in_use, int64_t *peak, int64_t *limit) {
  ARGS(PJRT_Device_MemoryStats_Args);
  args->device = device;
  PJRT_Error *error = api->PJRT_Device_MemoryStats(args);
  *in_use = args->bytes_in_use;
  *peak = args->peak_bytes_in_use_is_set ? args->peak_bytes_in_use : -1;
  *limit = args->bytes_limit_is_set ? args->bytes_limit : -1;
  return error;
}

PJRT_Error *sweep_compile(const PJRT_Api *api, PJRT_Client *client, char *code, size_t code_size, const char *options,
                          size_t options_size, PJRT_LoadedExecutable **executable) {
  struct {
    PJRT_Program block;
    unsigned char spare[SPARE];
  } program;
  memset(&program, 0, sizeof program);
  program.block.struct_size = sizeof program;
  program.block.code = code;
  program.block.code_size = code_size;
  program.block.format = "mlir";
  program.block.format_size = 4;
  ARGS(PJRT_Client_Compile_Args);
  args->client = client;
  args->program = &program.block;
  args->compile_options = options;
  args->compile_options_size = options_size;
  PJRT_Error *error = api->PJRT_Client_Compile(args);
  *executable = args->executable;
  return error;
}

PJRT_Error *sweep_get_executable(const PJRT_Api *api, PJRT_LoadedExecutable *loaded, PJRT_Executable **executable) {
  ARGS(PJRT_LoadedExecutable_GetExecutable_Args);
  args->loaded_executable = loaded;
  PJRT_Error *error = api->PJRT_LoadedExecutable_GetExecutable(args);
  *executable = args->executable;
  return error;
}

PJRT_Error *sweep_loaded_destroy(const PJRT_Api *api, PJRT_LoadedExecutable *executable) {
  ARGS(PJRT_LoadedExecutable_Destroy_Args);
  args->executable = executable;
  return api->PJRT_LoadedExecutable_Destroy(args);
}

PJRT_Error *sweep_executable_destroy(const PJRT_Api *api, PJRT_Executable *executable) {
  ARGS(PJRT_Executable_Destroy_Args);
  args->executable = executable;
  return api->PJRT_Executable_Destroy(args);
}

PJRT_Error *sweep_executable_outputs(const PJRT_Api *api, PJRT_Executable *executable, size_t *n) {
  ARGS(PJRT_Executable_NumOutputs_Args);
  args->executable = executable;
  PJRT_Error *error = api->PJRT_Executable_NumOutputs(args);
  *n = args->num_outputs;
  return error;
}

PJRT_Error *sweep_executable_memory(const PJRT_Api *api, PJRT_Executable *executable, int64_t *arguments, int64_t *outputs,
                                    int64_t *aliased, int64_t *temporary, int64_t *code) {
  ARGS(PJRT_Executable_GetCompiledMemoryStats_Args);
  args->executable = executable;
  PJRT_Error *error = api->PJRT_Executable_GetCompiledMemoryStats(args);
  *arguments = args->argument_size_in_bytes;
  *outputs = args->output_size_in_bytes;
  *aliased = args->alias_size_in_bytes;
  *temporary = args->temp_size_in_bytes;
  *code = args->generated_code_size_in_bytes;
  return error;
}

PJRT_Error *sweep_execute(const PJRT_Api *api, PJRT_LoadedExecutable *executable, PJRT_Buffer *const *arguments, size_t n,
                          PJRT_Buffer **outputs, PJRT_Event **done) {
  struct {
    PJRT_ExecuteOptions block;
    unsigned char spare[SPARE];
  } options;
  memset(&options, 0, sizeof options);
  options.block.struct_size = sizeof options;
  PJRT_Buffer *const *const argument_lists[1] = {arguments};
  PJRT_Buffer **const output_lists[1] = {outputs};
  ARGS(PJRT_LoadedExecutable_Execute_Args);
  args->executable = executable;
  args->options = &options.block;
  args->argument_lists = argument_lists;
  args->num_devices = 1;
  args->num_args = n;
  args->output_lists = output_lists;
  args->device_complete_events = done;
  return api->PJRT_LoadedExecutable_Execute(args);
}

PJRT_Error *sweep_event_await(const PJRT_Api *api, PJRT_Event *event) {
  ARGS(PJRT_Event_Await_Args);
  args->event = event;
  return api->PJRT_Event_Await(args);
}

PJRT_Error *sweep_event_destroy(const PJRT_Api *api, PJRT_Event *event) {
  ARGS(PJRT_Event_Destroy_Args);
  args->event = event;
  return api->PJRT_Event_Destroy(args);
}

PJRT_Error *sweep_put(const PJRT_Api *api, PJRT_Client *client, PJRT_Device *device, const void *data, int type,
                      const int64_t *dims, size_t n, PJRT_Buffer **buffer, PJRT_Event **done) {
  ARGS(PJRT_Client_BufferFromHostBuffer_Args);
  args->client = client;
  args->data = data;
  args->type = (PJRT_Buffer_Type)type;
  args->dims = dims;
  args->num_dims = n;
  args->host_buffer_semantics = PJRT_HostBufferSemantics_kImmutableOnlyDuringCall;
  args->device = device;
  PJRT_Error *error = api->PJRT_Client_BufferFromHostBuffer(args);
  *buffer = args->buffer;
  *done = args->done_with_host_buffer;
  return error;
}

PJRT_Error *sweep_get(const PJRT_Api *api, PJRT_Buffer *buffer, void *data, size_t size, PJRT_Event **done) {
  ARGS(PJRT_Buffer_ToHostBuffer_Args);
  args->src = buffer;
  args->dst = data;
  args->dst_size = size;
  PJRT_Error *error = api->PJRT_Buffer_ToHostBuffer(args);
  *done = args->event;
  return error;
}

PJRT_Error *sweep_size(const PJRT_Api *api, PJRT_Buffer *buffer, size_t *size) {
  ARGS(PJRT_Buffer_ToHostBuffer_Args);
  args->src = buffer;
  PJRT_Error *error = api->PJRT_Buffer_ToHostBuffer(args);
  *size = args->dst_size;
  if (error == NULL && args->event != NULL) {
    error = sweep_event_destroy(api, args->event);
  }
  return error;
}

PJRT_Error *sweep_buffer_deleted(const PJRT_Api *api, PJRT_Buffer *buffer, bool *deleted) {
  ARGS(PJRT_Buffer_IsDeleted_Args);
  args->buffer = buffer;
  PJRT_Error *error = api->PJRT_Buffer_IsDeleted(args);
  *deleted = args->is_deleted;
  return error;
}

PJRT_Error *sweep_buffer_destroy(const PJRT_Api *api, PJRT_Buffer *buffer) {
  ARGS(PJRT_Buffer_Destroy_Args);
  args->buffer = buffer;
  return api->PJRT_Buffer_Destroy(args);
}

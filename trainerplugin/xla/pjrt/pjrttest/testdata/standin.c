// A PJRT plugin that stands in for a real one in tests. It computes nothing: a
// result is the argument whose memory it takes over, or else zeros. What it does
// is to watch: that argument blocks have the sizes that a plugin accepts and are
// zero where they mean nothing, that nothing is used after it was freed or given
// up, and that every object made is freed. Its attributes tell what it counted;
// options of its clients make it fail.

#ifdef REAL_HEADER
#include REAL_HEADER
#else
#include "abi.h"
#endif

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef MINOR
#define MINOR 81
#endif

struct PJRT_Error {
  int code;
  char message[400];
};

enum kind { ERRORS, EVENTS, CLIENTS, EXECUTABLES, BUFFERS, KINDS };
static int64_t live[KINDS], made[KINDS], executions, violations;

#define NEW(kind, type) (live[kind]++, made[kind]++, (type *)calloc(1, sizeof(type)))
#define FREE(kind, p) (live[kind]--, free(p))

static PJRT_Error *fail(int code, const char *format, ...) {
  PJRT_Error *e = NEW(ERRORS, PJRT_Error);
  va_list args;
  va_start(args, format);
  vsnprintf(e->message, sizeof e->message, format, args);
  va_end(args);
  e->code = code;
  return e;
}

// check looks at a block of which size bytes have a meaning.
static PJRT_Error *check(const char *name, const void *block, size_t size) {
  const unsigned char *b = block;
  size_t given = *(const size_t *)block;
  if (given < size) {
    violations++;
    return fail(PJRT_Error_Code_INVALID_ARGUMENT, "Unexpected %s size: expected %zu, got %zu", name, size, given);
  }
  for (size_t i = size; i < given; i++) {
    if (b[i] != 0) {
      violations++;
      return fail(PJRT_Error_Code_INVALID_ARGUMENT, "%s: byte %zu, which has no meaning yet, is not 0", name, i);
    }
  }
  if (((const size_t *)block)[1] != 0) {
    violations++;
    return fail(PJRT_Error_Code_INVALID_ARGUMENT, "%s: it has an extension", name);
  }
  return NULL;
}

#define CHECK(name)                                                   \
  do {                                                                \
    PJRT_Error *wrong_ = check(#name, args, sizeof *args);            \
    if (wrong_ != NULL) return wrong_;                                \
  } while (0)

// MAGIC marks what is alive.
#define MAGIC 0x5357454550ull
#define ALIVE(p)                                                                          \
  if ((p) == NULL || (p)->magic != MAGIC) {                                               \
    violations++;                                                                         \
    return fail(PJRT_Error_Code_INVALID_ARGUMENT, "%s: " #p " is not alive", __func__);    \
  }

struct PJRT_Event {
  uint64_t magic;
  PJRT_Error *failure;
  void *to;  // what is copied when the event is awaited: not before
  const void *from;
  size_t size;
};

struct PJRT_DeviceDescription {
  int id;
};

struct PJRT_Device {
  uint64_t magic;
  PJRT_DeviceDescription description;
};

struct PJRT_Client {
  uint64_t magic;
  PJRT_Device device[2];
  PJRT_Device *devices[2];
  int64_t n, oom_at, oom_times, late_oom_at, fail_compiles, temporary, limit, in_use, peak;
};

typedef struct {
  PJRT_Buffer_Type type;
  size_t size;
  int64_t alias;  // the result that takes an argument's memory; -1 is none
} shape;

struct PJRT_LoadedExecutable {
  uint64_t magic;
  PJRT_Client *client;
  size_t args, results;
  shape arg[64], result[64];
};

struct PJRT_Executable {
  uint64_t magic;
  PJRT_LoadedExecutable *loaded;
};

struct PJRT_Buffer {
  uint64_t magic;
  PJRT_Client *client;
  int deleted;
  PJRT_Buffer_Type type;
  size_t size;
  unsigned char *data;
};

static void destroy_error(PJRT_Error_Destroy_Args *args) { FREE(ERRORS, args->error); }

static void error_message(PJRT_Error_Message_Args *args) {
  args->message = args->error->message;
  args->message_size = strlen(args->error->message);
}

static PJRT_Error *error_code(PJRT_Error_GetCode_Args *args) {
  CHECK(PJRT_Error_GetCode_Args);
  args->code = args->error->code;
  return NULL;
}

static int initialised;

static PJRT_Error *initialize(PJRT_Plugin_Initialize_Args *args) {
  CHECK(PJRT_Plugin_Initialize_Args);
  if (getenv("STANDIN_FAIL_INITIALIZE") != NULL) {
    return fail(PJRT_Error_Code_FAILED_PRECONDITION, "no driver");
  }
  initialised = 1;
  return NULL;
}

static PJRT_Error *attributes(PJRT_Plugin_Attributes_Args *args) {
  CHECK(PJRT_Plugin_Attributes_Args);
  static const int64_t version[3] = {1, 13, 3};
  static PJRT_NamedValue v[KINDS + 6];
  static const char *names[] = {"live_errors", "live_events", "live_clients", "live_executables", "live_buffers",
                                "executions", "violations", "stablehlo_current_version", "name", "share", "fast"};
  memset(v, 0, sizeof v);
  for (size_t i = 0; i < KINDS + 6; i++) {
    v[i].struct_size = sizeof v[i];
    v[i].name = names[i];
    v[i].name_size = strlen(names[i]);
    v[i].type = PJRT_NamedValue_kInt64;
    v[i].value_size = 1;
    if (i < KINDS) v[i].int64_value = live[i];
  }
  v[KINDS].int64_value = executions;
  v[KINDS + 1].int64_value = violations;
  v[KINDS + 2].type = PJRT_NamedValue_kInt64List;
  v[KINDS + 2].int64_array_value = version;
  v[KINDS + 2].value_size = 3;
  v[KINDS + 3].type = PJRT_NamedValue_kString;
  v[KINDS + 3].string_value = "stand-in, and more";
  v[KINDS + 3].value_size = strlen("stand-in");
  v[KINDS + 4].type = PJRT_NamedValue_kFloat;
  v[KINDS + 4].float_value = 0.75f;
  v[KINDS + 5].type = PJRT_NamedValue_kBool;
  v[KINDS + 5].bool_value = true;
  args->attributes = v;
  args->num_attributes = KINDS + 6;
  return NULL;
}

static PJRT_Error *event_await(PJRT_Event_Await_Args *args) {
  CHECK(PJRT_Event_Await_Args);
  ALIVE(args->event);
  if (args->event->to != NULL) memcpy(args->event->to, args->event->from, args->event->size);
  PJRT_Error *e = args->event->failure;
  return e == NULL ? NULL : fail(e->code, "%s", e->message);
}

static PJRT_Error *event_destroy(PJRT_Event_Destroy_Args *args) {
  CHECK(PJRT_Event_Destroy_Args);
  ALIVE(args->event);
  if (args->event->failure != NULL) FREE(ERRORS, args->event->failure);
  args->event->magic = 0;
  FREE(EVENTS, args->event);
  return NULL;
}

static PJRT_Event *new_event(void) {
  PJRT_Event *e = NEW(EVENTS, PJRT_Event);
  e->magic = MAGIC;
  return e;
}

static PJRT_Error *client_create(PJRT_Client_Create_Args *args) {
  CHECK(PJRT_Client_Create_Args);
  if (!initialised) {
    violations++;
    return fail(PJRT_Error_Code_FAILED_PRECONDITION, "the plugin was not initialised");
  }
  PJRT_Client proto;
  memset(&proto, 0, sizeof proto);
  proto.n = 1;
  proto.limit = 1 << 30;
  for (size_t i = 0; i < args->num_options; i++) {
    const PJRT_NamedValue *v = &args->create_options[i];
    const struct {
      const char *name;
      int64_t *value;
    } known[] = {{"devices", &proto.n},         {"oom_at", &proto.oom_at},       {"oom_times", &proto.oom_times},
                 {"late_oom_at", &proto.late_oom_at}, {"fail_compiles", &proto.fail_compiles}, {"temporary", &proto.temporary},
                 {"limit", &proto.limit}};
    size_t k = 0;
    while (k < sizeof known / sizeof *known && (strlen(known[k].name) != v->name_size || strncmp(known[k].name, v->name, v->name_size) != 0)) k++;
    if (k < sizeof known / sizeof *known && v->type == PJRT_NamedValue_kInt64 && v->value_size == 1) {
      *known[k].value = v->int64_value;
    } else if (v->type == PJRT_NamedValue_kString && strncmp(v->name, "fail", v->name_size) == 0) {
      return fail(PJRT_Error_Code_FAILED_PRECONDITION, "%.*s", (int)v->value_size, v->string_value);
    } else if (v->type == PJRT_NamedValue_kInt64 || v->type == PJRT_NamedValue_kString) {
      return fail(PJRT_Error_Code_INVALID_ARGUMENT, "unexpected option name passed to PJRT_Client_Create: %.*s", (int)v->name_size, v->name);
    }  // allocators' options are of other types, and taken without effect
  }
  PJRT_Client *c = NEW(CLIENTS, PJRT_Client);
  *c = proto;
  c->magic = MAGIC;
  for (int i = 0; i < 2; i++) {
    c->device[i].magic = MAGIC;
    c->device[i].description.id = i;
    c->devices[i] = &c->device[i];
  }
  args->client = c;
  return NULL;
}

static PJRT_Error *client_destroy(PJRT_Client_Destroy_Args *args) {
  CHECK(PJRT_Client_Destroy_Args);
  ALIVE(args->client);
  args->client->magic = 0;
  FREE(CLIENTS, args->client);
  return NULL;
}

static PJRT_Error *platform_name(PJRT_Client_PlatformName_Args *args) {
  CHECK(PJRT_Client_PlatformName_Args);
  ALIVE(args->client);
  args->platform_name = "standin, not ended by a zero";
  args->platform_name_size = 7;
  return NULL;
}

static PJRT_Error *platform_version(PJRT_Client_PlatformVersion_Args *args) {
  CHECK(PJRT_Client_PlatformVersion_Args);
  ALIVE(args->client);
  args->platform_version = "stand-in 1";
  args->platform_version_size = 10;
  return NULL;
}

static PJRT_Error *devices(PJRT_Client_AddressableDevices_Args *args) {
  CHECK(PJRT_Client_AddressableDevices_Args);
  ALIVE(args->client);
  args->addressable_devices = args->client->devices;
  args->num_addressable_devices = args->client->n;
  return NULL;
}

static PJRT_Error *describe(PJRT_Device_GetDescription_Args *args) {
  CHECK(PJRT_Device_GetDescription_Args);
  ALIVE(args->device);
  args->device_description = &args->device->description;
  return NULL;
}

static PJRT_Error *device_id(PJRT_DeviceDescription_Id_Args *args) {
  CHECK(PJRT_DeviceDescription_Id_Args);
  args->id = args->device_description->id;
  return NULL;
}

static PJRT_Error *device_kind(PJRT_DeviceDescription_Kind_Args *args) {
  CHECK(PJRT_DeviceDescription_Kind_Args);
  args->device_kind = "Stand-in 9000";
  args->device_kind_size = 13;
  return NULL;
}

static PJRT_Error *memory_stats(PJRT_Device_MemoryStats_Args *args) {
  CHECK(PJRT_Device_MemoryStats_Args);
  ALIVE(args->device);
  PJRT_Client *c = (PJRT_Client *)((char *)args->device - offsetof(PJRT_Client, device) - sizeof(PJRT_Device) * args->device->description.id);
  args->bytes_in_use = c->in_use;
  args->peak_bytes_in_use = c->peak;
  args->peak_bytes_in_use_is_set = true;
  args->bytes_limit = c->limit;
  args->bytes_limit_is_set = c->limit > 0;
  return NULL;
}

// tensor reads a type like tensor<2x3xf32> and returns what is behind it.
static const char *tensor(const char *at, shape *s) {
  static const struct {
    const char *name;
    PJRT_Buffer_Type type;
    size_t size;
  } types[] = {{"f32", PJRT_Buffer_Type_F32, 4}, {"f64", PJRT_Buffer_Type_F64, 8}, {"bf16", PJRT_Buffer_Type_BF16, 2},
               {"i32", PJRT_Buffer_Type_S32, 4}, {"ui32", PJRT_Buffer_Type_U32, 4}, {"ui8", PJRT_Buffer_Type_U8, 1},
               {"ui64", PJRT_Buffer_Type_U64, 8}, {"i1", PJRT_Buffer_Type_PRED, 1}};
  at += strlen("tensor<");
  s->size = 1;
  while (isdigit((unsigned char)*at)) {
    char *end;
    s->size *= strtoul(at, &end, 10);
    at = end + 1;  // the x
  }
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    size_t n = strlen(types[i].name);
    if (strncmp(at, types[i].name, n) == 0 && at[n] == '>') {
      s->type = types[i].type;
      s->size *= types[i].size;
      return at + n + 1;
    }
  }
  s->type = PJRT_Buffer_Type_INVALID;
  return at;
}

static PJRT_Error *parse(PJRT_LoadedExecutable *e, const char *code) {
  const char *at = strstr(code, "@main(");
  if (at == NULL) return fail(PJRT_Error_Code_INVALID_ARGUMENT, "no function @main");
  const char *arrow = strstr(at, "->");
  if (arrow == NULL) return fail(PJRT_Error_Code_INVALID_ARGUMENT, "@main returns nothing");
  for (const char *t = strstr(at, "tensor<"); t != NULL && t < arrow; t = strstr(t, "tensor<")) {
    shape *s = &e->arg[e->args++];
    t = tensor(t, s);
    s->alias = -1;
    const char *next = strstr(t, "tensor<"), *alias = strstr(t, "tf.aliasing_output = ");
    if (next == NULL || next > arrow) next = arrow;
    if (alias != NULL && alias < next) s->alias = strtol(alias + strlen("tf.aliasing_output = "), NULL, 10);
  }
  const char *end = strchr(arrow, '\n');
  for (const char *t = strstr(arrow, "tensor<"); t != NULL && (end == NULL || t < end); t = strstr(t, "tensor<")) {
    t = tensor(t, &e->result[e->results++]);
  }
  for (size_t i = 0; i < e->args; i++) {
    if (e->arg[i].type == PJRT_Buffer_Type_INVALID) return fail(PJRT_Error_Code_INVALID_ARGUMENT, "argument %zu is of an unknown type", i);
  }
  return NULL;
}

static PJRT_Error *compile(PJRT_Client_Compile_Args *args) {
  CHECK(PJRT_Client_Compile_Args);
  ALIVE(args->client);
  const PJRT_Program *p = args->program;
  PJRT_Error *wrong = check("PJRT_Program", p, sizeof *p);
  if (wrong != NULL) return wrong;
  if (p->format_size != 4 || strncmp(p->format, "mlir", 4) != 0 || strlen(p->code) != p->code_size) {
    violations++;
    return fail(PJRT_Error_Code_INVALID_ARGUMENT, "no text of MLIR");
  }
  if (args->compile_options_size < 6 || args->compile_options[0] != 0x1a) {
    violations++;
    return fail(PJRT_Error_Code_INVALID_ARGUMENT, "compile options are no CompileOptionsProto");
  }
  if (args->client->fail_compiles > 0) {
    args->client->fail_compiles--;
    return fail(PJRT_Error_Code_RESOURCE_EXHAUSTED, "Out of memory while trying to allocate 68719476736 bytes.");
  }
  PJRT_LoadedExecutable *e = NEW(EXECUTABLES, PJRT_LoadedExecutable);
  e->magic = MAGIC;
  e->client = args->client;
  wrong = parse(e, p->code);
  if (wrong != NULL) {
    FREE(EXECUTABLES, e);
    return wrong;
  }
  args->executable = e;
  return NULL;
}

static PJRT_Error *get_executable(PJRT_LoadedExecutable_GetExecutable_Args *args) {
  CHECK(PJRT_LoadedExecutable_GetExecutable_Args);
  ALIVE(args->loaded_executable);
  PJRT_Executable *e = NEW(EXECUTABLES, PJRT_Executable);
  e->magic = MAGIC;
  e->loaded = args->loaded_executable;
  args->executable = e;
  return NULL;
}

static PJRT_Error *loaded_destroy(PJRT_LoadedExecutable_Destroy_Args *args) {
  CHECK(PJRT_LoadedExecutable_Destroy_Args);
  ALIVE(args->executable);
  args->executable->magic = 0;
  FREE(EXECUTABLES, args->executable);
  return NULL;
}

static PJRT_Error *executable_destroy(PJRT_Executable_Destroy_Args *args) {
  CHECK(PJRT_Executable_Destroy_Args);
  ALIVE(args->executable);
  args->executable->magic = 0;
  FREE(EXECUTABLES, args->executable);
  return NULL;
}

static PJRT_Error *num_outputs(PJRT_Executable_NumOutputs_Args *args) {
  CHECK(PJRT_Executable_NumOutputs_Args);
  ALIVE(args->executable);
  args->num_outputs = args->executable->loaded->results;
  return NULL;
}

static PJRT_Error *compiled_memory(PJRT_Executable_GetCompiledMemoryStats_Args *args) {
  CHECK(PJRT_Executable_GetCompiledMemoryStats_Args);
  ALIVE(args->executable);
  PJRT_LoadedExecutable *e = args->executable->loaded;
  for (size_t i = 0; i < e->args; i++) {
    args->argument_size_in_bytes += e->arg[i].size;
    if (e->arg[i].alias >= 0) args->alias_size_in_bytes += e->arg[i].size;
  }
  for (size_t i = 0; i < e->results; i++) args->output_size_in_bytes += e->result[i].size;
  args->temp_size_in_bytes = e->client->temporary;
  return NULL;
}

static PJRT_Buffer *new_buffer(PJRT_Client *c, shape s) {
  PJRT_Buffer *b = NEW(BUFFERS, PJRT_Buffer);
  b->magic = MAGIC;
  b->client = c;
  b->type = s.type;
  b->size = s.size;
  b->data = calloc(1, s.size);
  c->in_use += s.size;
  if (c->in_use > c->peak) c->peak = c->in_use;
  return b;
}

static void give_up(PJRT_Buffer *b) {
  free(b->data);
  b->data = NULL;
  if (!b->deleted) b->client->in_use -= b->size;
  b->deleted = 1;
}

static PJRT_Error *execute(PJRT_LoadedExecutable_Execute_Args *args) {
  CHECK(PJRT_LoadedExecutable_Execute_Args);
  PJRT_Error *wrong = check("PJRT_ExecuteOptions", args->options, sizeof *args->options);
  if (wrong != NULL) return wrong;
  PJRT_LoadedExecutable *e = args->executable;
  ALIVE(e);
  PJRT_Client *c = e->client;
  if (args->num_devices != 1 || args->num_args != e->args) {
    return fail(PJRT_Error_Code_INVALID_ARGUMENT, "Execution supplied %zu buffers but compiled program expected %zu buffers", args->num_args, e->args);
  }
  for (size_t i = 0; i < e->args; i++) {
    PJRT_Buffer *b = args->argument_lists[0][i];
    ALIVE(b);
    if (b->deleted) {
      violations++;
      return fail(PJRT_Error_Code_INVALID_ARGUMENT, "Buffer has been deleted or donated: argument %zu", i);
    }
    if (b->type != e->arg[i].type || b->size != e->arg[i].size) {
      return fail(PJRT_Error_Code_INVALID_ARGUMENT, "argument %zu has %zu bytes of type %d; %zu of type %d are expected", i, b->size, b->type, e->arg[i].size, e->arg[i].type);
    }
  }
  executions++;
  if (c->oom_times > 0 && executions >= c->oom_at) {
    c->oom_times--;
    return fail(PJRT_Error_Code_RESOURCE_EXHAUSTED, "Out of memory while trying to allocate 34359738368 bytes.");
  }
  for (size_t k = 0; k < e->results; k++) {
    PJRT_Buffer *out = new_buffer(c, e->result[k]);
    for (size_t i = 0; i < e->args; i++) {
      if (e->arg[i].alias != (int64_t)k) continue;
      memcpy(out->data, args->argument_lists[0][i]->data, out->size);
      give_up(args->argument_lists[0][i]);
    }
    args->output_lists[0][k] = out;
  }
  if (args->device_complete_events != NULL) {
    args->device_complete_events[0] = new_event();
    if (c->late_oom_at > 0 && executions >= c->late_oom_at) {
      c->late_oom_at = 0;
      args->device_complete_events[0]->failure = fail(PJRT_Error_Code_RESOURCE_EXHAUSTED, "Out of memory, found late");
    }
  }
  return NULL;
}

static PJRT_Error *from_host(PJRT_Client_BufferFromHostBuffer_Args *args) {
  CHECK(PJRT_Client_BufferFromHostBuffer_Args);
  ALIVE(args->client);
  ALIVE(args->device);
  static const size_t sizes[] = {[PJRT_Buffer_Type_PRED] = 1, [PJRT_Buffer_Type_S8] = 1, [PJRT_Buffer_Type_S32] = 4,
                                 [PJRT_Buffer_Type_S64] = 8, [PJRT_Buffer_Type_U8] = 1, [PJRT_Buffer_Type_U32] = 4,
                                 [PJRT_Buffer_Type_U64] = 8, [PJRT_Buffer_Type_F32] = 4, [PJRT_Buffer_Type_F64] = 8,
                                 [PJRT_Buffer_Type_BF16] = 2};
  shape s = {args->type, sizes[args->type], -1};
  for (size_t i = 0; i < args->num_dims; i++) s.size *= args->dims[i];
  if (args->client->limit > 0 && args->client->in_use + (int64_t)s.size > args->client->limit) {
    return fail(PJRT_Error_Code_RESOURCE_EXHAUSTED, "Out of memory while trying to allocate %zu bytes.", s.size);
  }
  args->buffer = new_buffer(args->client, s);
  memcpy(args->buffer->data, args->data, s.size);
  args->done_with_host_buffer = new_event();
  return NULL;
}

static PJRT_Error *buffer_destroy(PJRT_Buffer_Destroy_Args *args) {
  CHECK(PJRT_Buffer_Destroy_Args);
  ALIVE(args->buffer);
  give_up(args->buffer);
  args->buffer->magic = 0;
  FREE(BUFFERS, args->buffer);
  return NULL;
}

static PJRT_Error *buffer_deleted(PJRT_Buffer_IsDeleted_Args *args) {
  CHECK(PJRT_Buffer_IsDeleted_Args);
  ALIVE(args->buffer);
  args->is_deleted = args->buffer->deleted;
  return NULL;
}

static PJRT_Error *to_host(PJRT_Buffer_ToHostBuffer_Args *args) {
  CHECK(PJRT_Buffer_ToHostBuffer_Args);
  ALIVE(args->src);
  if (args->src->deleted) return fail(PJRT_Error_Code_INVALID_ARGUMENT, "Buffer has been deleted or donated.");
  if (args->dst == NULL) {
    args->dst_size = args->src->size;
    return NULL;
  }
  if (args->dst_size < args->src->size) {
    violations++;
    return fail(PJRT_Error_Code_INVALID_ARGUMENT, "`dst_size` must be >= %zu, got %zu.", args->src->size, args->dst_size);
  }
  args->event = new_event();
  args->event->to = args->dst;
  args->event->from = args->src->data;
  args->event->size = args->src->size;
  return NULL;
}

__attribute__((visibility("default"))) const PJRT_Api *GetPjrtApi(void) {
  static PJRT_Api api;
  api.struct_size = sizeof api;
  api.pjrt_api_version.struct_size = sizeof api.pjrt_api_version;
  api.pjrt_api_version.major_version = 0;
  api.pjrt_api_version.minor_version = MINOR;
  api.PJRT_Error_Destroy = destroy_error;
  api.PJRT_Error_Message = error_message;
  api.PJRT_Error_GetCode = error_code;
  api.PJRT_Plugin_Initialize = initialize;
  api.PJRT_Plugin_Attributes = attributes;
  api.PJRT_Event_Await = event_await;
  api.PJRT_Event_Destroy = event_destroy;
  api.PJRT_Client_Create = client_create;
  api.PJRT_Client_Destroy = client_destroy;
  api.PJRT_Client_PlatformName = platform_name;
  api.PJRT_Client_PlatformVersion = platform_version;
  api.PJRT_Client_AddressableDevices = devices;
  api.PJRT_Device_GetDescription = describe;
  api.PJRT_DeviceDescription_Id = device_id;
  api.PJRT_DeviceDescription_Kind = device_kind;
  api.PJRT_Client_Compile = compile;
  api.PJRT_LoadedExecutable_GetExecutable = get_executable;
  api.PJRT_LoadedExecutable_Destroy = loaded_destroy;
  api.PJRT_Executable_Destroy = executable_destroy;
  api.PJRT_Executable_NumOutputs = num_outputs;
  api.PJRT_LoadedExecutable_Execute = execute;
  api.PJRT_Client_BufferFromHostBuffer = from_host;
  api.PJRT_Buffer_Destroy = buffer_destroy;
  api.PJRT_Buffer_IsDeleted = buffer_deleted;
#ifndef LACKS_TO_HOST
  api.PJRT_Buffer_ToHostBuffer = to_host;
#else
  (void)to_host;
#endif
#ifdef ENDS_EARLY  // a table of a time before these
  api.struct_size = offsetof(PJRT_Api, PJRT_Executable_GetCompiledMemoryStats);
#endif
  api.PJRT_Executable_GetCompiledMemoryStats = compiled_memory;
#ifndef ENDS_EARLY
  api.PJRT_Device_MemoryStats = memory_stats;
#else
  (void)memory_stats;
#endif
  return &api;
}

// The part of the PJRT C API that this package calls, written from the public
// description of the interface (OpenXLA, xla/pjrt/c/pjrt_c_api.h, Apache-2.0)
// with its names. The interface only ever appends: fields to argument blocks,
// entries to PJRT_Api. So the layout below stays true of later plugins, and
// TestLayout compares it with the real header where one is at hand.

#ifndef SWEEP_PJRT_ABI_H_
#define SWEEP_PJRT_ABI_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct PJRT_Error PJRT_Error;
typedef struct PJRT_Event PJRT_Event;
typedef struct PJRT_Client PJRT_Client;
typedef struct PJRT_Device PJRT_Device;
typedef struct PJRT_DeviceDescription PJRT_DeviceDescription;
typedef struct PJRT_Memory PJRT_Memory;
typedef struct PJRT_Executable PJRT_Executable;
typedef struct PJRT_LoadedExecutable PJRT_LoadedExecutable;
typedef struct PJRT_Buffer PJRT_Buffer;
typedef struct PJRT_Buffer_MemoryLayout PJRT_Buffer_MemoryLayout;
typedef struct PJRT_ExecuteContext PJRT_ExecuteContext;

typedef struct PJRT_Extension_Base {
  size_t struct_size;
  int type;
  struct PJRT_Extension_Base *next;
} PJRT_Extension_Base;

// Every block begins with its own size, so that both sides know which of its
// later fields the other one has heard of.
#define BLOCK_START   \
  size_t struct_size; \
  PJRT_Extension_Base *extension_start

typedef struct PJRT_Api_Version {
  BLOCK_START;
  int major_version;
  int minor_version;
} PJRT_Api_Version;

typedef enum {
  PJRT_NamedValue_kString = 0,
  PJRT_NamedValue_kInt64 = 1,
  PJRT_NamedValue_kInt64List = 2,
  PJRT_NamedValue_kFloat = 3,
  PJRT_NamedValue_kBool = 4,
} PJRT_NamedValue_Type;

typedef struct PJRT_NamedValue {
  BLOCK_START;
  const char *name;
  size_t name_size;
  PJRT_NamedValue_Type type;
  union {
    const char *string_value;
    int64_t int64_value;
    const int64_t *int64_array_value;
    float float_value;
    bool bool_value;
  };
  size_t value_size;
} PJRT_NamedValue;

// Codes are those of absl::StatusCode.
typedef enum {
  PJRT_Error_Code_INVALID_ARGUMENT = 3,
  PJRT_Error_Code_NOT_FOUND = 5,
  PJRT_Error_Code_RESOURCE_EXHAUSTED = 8,
  PJRT_Error_Code_FAILED_PRECONDITION = 9,
  PJRT_Error_Code_UNIMPLEMENTED = 12,
  PJRT_Error_Code_INTERNAL = 13,
} PJRT_Error_Code;

typedef enum {
  PJRT_Buffer_Type_INVALID = 0,
  PJRT_Buffer_Type_PRED = 1,
  PJRT_Buffer_Type_S8 = 2,
  PJRT_Buffer_Type_S32 = 4,
  PJRT_Buffer_Type_S64 = 5,
  PJRT_Buffer_Type_U8 = 6,
  PJRT_Buffer_Type_U32 = 8,
  PJRT_Buffer_Type_U64 = 9,
  PJRT_Buffer_Type_F32 = 11,
  PJRT_Buffer_Type_F64 = 12,
  PJRT_Buffer_Type_BF16 = 13,
} PJRT_Buffer_Type;

typedef enum {
  PJRT_HostBufferSemantics_kImmutableOnlyDuringCall = 0,
} PJRT_HostBufferSemantics;

typedef struct PJRT_Error_Destroy_Args {
  BLOCK_START;
  PJRT_Error *error;
} PJRT_Error_Destroy_Args;

typedef struct PJRT_Error_Message_Args {
  BLOCK_START;
  const PJRT_Error *error;
  const char *message;
  size_t message_size;
} PJRT_Error_Message_Args;

typedef struct PJRT_Error_GetCode_Args {
  BLOCK_START;
  const PJRT_Error *error;
  PJRT_Error_Code code;
} PJRT_Error_GetCode_Args;

typedef struct PJRT_Plugin_Initialize_Args {
  BLOCK_START;
} PJRT_Plugin_Initialize_Args;

typedef struct PJRT_Plugin_Attributes_Args {
  BLOCK_START;
  const PJRT_NamedValue *attributes;
  size_t num_attributes;
} PJRT_Plugin_Attributes_Args;

typedef struct PJRT_Event_Destroy_Args {
  BLOCK_START;
  PJRT_Event *event;
} PJRT_Event_Destroy_Args;

typedef struct PJRT_Event_Await_Args {
  BLOCK_START;
  PJRT_Event *event;
} PJRT_Event_Await_Args;

typedef struct PJRT_Client_Create_Args {
  BLOCK_START;
  const PJRT_NamedValue *create_options;
  size_t num_options;
  void (*kv_get_callback)(void);
  void *kv_get_user_arg;
  void (*kv_put_callback)(void);
  void *kv_put_user_arg;
  PJRT_Client *client;
} PJRT_Client_Create_Args;

typedef struct PJRT_Client_Destroy_Args {
  BLOCK_START;
  PJRT_Client *client;
} PJRT_Client_Destroy_Args;

typedef struct PJRT_Client_PlatformName_Args {
  BLOCK_START;
  PJRT_Client *client;
  const char *platform_name;
  size_t platform_name_size;
} PJRT_Client_PlatformName_Args;

typedef struct PJRT_Client_PlatformVersion_Args {
  BLOCK_START;
  PJRT_Client *client;
  const char *platform_version;
  size_t platform_version_size;
} PJRT_Client_PlatformVersion_Args;

typedef struct PJRT_Client_AddressableDevices_Args {
  BLOCK_START;
  PJRT_Client *client;
  PJRT_Device *const *addressable_devices;
  size_t num_addressable_devices;
} PJRT_Client_AddressableDevices_Args;

typedef struct PJRT_Device_GetDescription_Args {
  BLOCK_START;
  PJRT_Device *device;
  PJRT_DeviceDescription *device_description;
} PJRT_Device_GetDescription_Args;

typedef struct PJRT_DeviceDescription_Id_Args {
  BLOCK_START;
  PJRT_DeviceDescription *device_description;
  int id;
} PJRT_DeviceDescription_Id_Args;

typedef struct PJRT_DeviceDescription_Kind_Args {
  BLOCK_START;
  PJRT_DeviceDescription *device_description;
  const char *device_kind;
  size_t device_kind_size;
} PJRT_DeviceDescription_Kind_Args;

typedef struct PJRT_Device_MemoryStats_Args {
  BLOCK_START;
  PJRT_Device *device;
  int64_t bytes_in_use;
  int64_t peak_bytes_in_use;
  bool peak_bytes_in_use_is_set;
  int64_t num_allocs;
  bool num_allocs_is_set;
  int64_t largest_alloc_size;
  bool largest_alloc_size_is_set;
  int64_t bytes_limit;
  bool bytes_limit_is_set;
} PJRT_Device_MemoryStats_Args;

typedef struct PJRT_Program {
  BLOCK_START;
  char *code;
  size_t code_size;
  const char *format;
  size_t format_size;
} PJRT_Program;

typedef struct PJRT_Client_Compile_Args {
  BLOCK_START;
  PJRT_Client *client;
  const PJRT_Program *program;
  const char *compile_options;
  size_t compile_options_size;
  PJRT_LoadedExecutable *executable;
} PJRT_Client_Compile_Args;

typedef struct PJRT_LoadedExecutable_GetExecutable_Args {
  BLOCK_START;
  PJRT_LoadedExecutable *loaded_executable;
  PJRT_Executable *executable;
} PJRT_LoadedExecutable_GetExecutable_Args;

typedef struct PJRT_LoadedExecutable_Destroy_Args {
  BLOCK_START;
  PJRT_LoadedExecutable *executable;
} PJRT_LoadedExecutable_Destroy_Args;

typedef struct PJRT_Executable_Destroy_Args {
  BLOCK_START;
  PJRT_Executable *executable;
} PJRT_Executable_Destroy_Args;

typedef struct PJRT_Executable_NumOutputs_Args {
  BLOCK_START;
  PJRT_Executable *executable;
  size_t num_outputs;
} PJRT_Executable_NumOutputs_Args;

typedef struct PJRT_Executable_GetCompiledMemoryStats_Args {
  BLOCK_START;
  PJRT_Executable *executable;
  int64_t generated_code_size_in_bytes;
  int64_t argument_size_in_bytes;
  int64_t output_size_in_bytes;
  int64_t alias_size_in_bytes;
  int64_t temp_size_in_bytes;
} PJRT_Executable_GetCompiledMemoryStats_Args;

typedef struct PJRT_ExecuteOptions {
  BLOCK_START;
  void *send_callbacks;
  void *recv_callbacks;
  size_t num_send_ops;
  size_t num_recv_ops;
  int launch_id;
  const int64_t *non_donatable_input_indices;
  size_t num_non_donatable_input_indices;
  PJRT_ExecuteContext *context;
} PJRT_ExecuteOptions;

typedef struct PJRT_LoadedExecutable_Execute_Args {
  BLOCK_START;
  PJRT_LoadedExecutable *executable;
  PJRT_ExecuteOptions *options;
  PJRT_Buffer *const *const *argument_lists;
  size_t num_devices;
  size_t num_args;
  PJRT_Buffer **const *output_lists;
  PJRT_Event **device_complete_events;
  PJRT_Device *execute_device;
} PJRT_LoadedExecutable_Execute_Args;

typedef struct PJRT_Client_BufferFromHostBuffer_Args {
  BLOCK_START;
  PJRT_Client *client;
  const void *data;
  PJRT_Buffer_Type type;
  const int64_t *dims;
  size_t num_dims;
  const int64_t *byte_strides;
  size_t num_byte_strides;
  PJRT_HostBufferSemantics host_buffer_semantics;
  PJRT_Device *device;
  PJRT_Memory *memory;
  PJRT_Buffer_MemoryLayout *device_layout;
  PJRT_Event *done_with_host_buffer;
  PJRT_Buffer *buffer;
} PJRT_Client_BufferFromHostBuffer_Args;

typedef struct PJRT_Buffer_Destroy_Args {
  BLOCK_START;
  PJRT_Buffer *buffer;
} PJRT_Buffer_Destroy_Args;

typedef struct PJRT_Buffer_IsDeleted_Args {
  BLOCK_START;
  PJRT_Buffer *buffer;
  bool is_deleted;
} PJRT_Buffer_IsDeleted_Args;

typedef struct PJRT_Buffer_ToHostBuffer_Args {
  BLOCK_START;
  PJRT_Buffer *src;
  PJRT_Buffer_MemoryLayout *host_layout;
  void *dst;
  size_t dst_size;
  PJRT_Event *event;
} PJRT_Buffer_ToHostBuffer_Args;

// A CALL is an entry of the table that this package uses; a SLOT is one that it
// does not, and knows the place of.
#define CALL(name) PJRT_Error *(*name)(name##_Args *)
#define SLOT(name) void (*name)(void)

typedef struct PJRT_Api {
  BLOCK_START;
  PJRT_Api_Version pjrt_api_version;

  void (*PJRT_Error_Destroy)(PJRT_Error_Destroy_Args *);
  void (*PJRT_Error_Message)(PJRT_Error_Message_Args *);
  CALL(PJRT_Error_GetCode);

  CALL(PJRT_Plugin_Initialize);
  CALL(PJRT_Plugin_Attributes);

  CALL(PJRT_Event_Destroy);
  SLOT(PJRT_Event_IsReady);
  SLOT(PJRT_Event_Error);
  CALL(PJRT_Event_Await);
  SLOT(PJRT_Event_OnReady);

  CALL(PJRT_Client_Create);
  CALL(PJRT_Client_Destroy);
  CALL(PJRT_Client_PlatformName);
  SLOT(PJRT_Client_ProcessIndex);
  CALL(PJRT_Client_PlatformVersion);
  SLOT(PJRT_Client_Devices);
  CALL(PJRT_Client_AddressableDevices);
  SLOT(PJRT_Client_LookupDevice);
  SLOT(PJRT_Client_LookupAddressableDevice);
  SLOT(PJRT_Client_AddressableMemories);
  CALL(PJRT_Client_Compile);
  SLOT(PJRT_Client_DefaultDeviceAssignment);
  CALL(PJRT_Client_BufferFromHostBuffer);

  CALL(PJRT_DeviceDescription_Id);
  SLOT(PJRT_DeviceDescription_ProcessIndex);
  SLOT(PJRT_DeviceDescription_Attributes);
  CALL(PJRT_DeviceDescription_Kind);
  SLOT(PJRT_DeviceDescription_DebugString);
  SLOT(PJRT_DeviceDescription_ToString);

  CALL(PJRT_Device_GetDescription);
  SLOT(PJRT_Device_IsAddressable);
  SLOT(PJRT_Device_LocalHardwareId);
  SLOT(PJRT_Device_AddressableMemories);
  SLOT(PJRT_Device_DefaultMemory);
  CALL(PJRT_Device_MemoryStats);

  SLOT(PJRT_Memory_Id);
  SLOT(PJRT_Memory_Kind);
  SLOT(PJRT_Memory_DebugString);
  SLOT(PJRT_Memory_ToString);
  SLOT(PJRT_Memory_AddressableByDevices);

  CALL(PJRT_Executable_Destroy);
  SLOT(PJRT_Executable_Name);
  SLOT(PJRT_Executable_NumReplicas);
  SLOT(PJRT_Executable_NumPartitions);
  CALL(PJRT_Executable_NumOutputs);
  SLOT(PJRT_Executable_SizeOfGeneratedCodeInBytes);
  SLOT(PJRT_Executable_GetCostAnalysis);
  SLOT(PJRT_Executable_OutputMemoryKinds);
  SLOT(PJRT_Executable_OptimizedProgram);
  SLOT(PJRT_Executable_Serialize);

  CALL(PJRT_LoadedExecutable_Destroy);
  CALL(PJRT_LoadedExecutable_GetExecutable);
  SLOT(PJRT_LoadedExecutable_AddressableDevices);
  SLOT(PJRT_LoadedExecutable_Delete);
  SLOT(PJRT_LoadedExecutable_IsDeleted);
  CALL(PJRT_LoadedExecutable_Execute);
  SLOT(PJRT_Executable_DeserializeAndLoad);
  SLOT(PJRT_LoadedExecutable_Fingerprint);

  CALL(PJRT_Buffer_Destroy);
  SLOT(PJRT_Buffer_ElementType);
  SLOT(PJRT_Buffer_Dimensions);
  SLOT(PJRT_Buffer_UnpaddedDimensions);
  SLOT(PJRT_Buffer_DynamicDimensionIndices);
  SLOT(PJRT_Buffer_GetMemoryLayout);
  SLOT(PJRT_Buffer_OnDeviceSizeInBytes);
  SLOT(PJRT_Buffer_Device);
  SLOT(PJRT_Buffer_Memory);
  SLOT(PJRT_Buffer_Delete);
  CALL(PJRT_Buffer_IsDeleted);
  SLOT(PJRT_Buffer_CopyToDevice);
  CALL(PJRT_Buffer_ToHostBuffer);
  SLOT(PJRT_Buffer_IsOnCpu);
  SLOT(PJRT_Buffer_ReadyEvent);
  SLOT(PJRT_Buffer_UnsafePointer);
  SLOT(PJRT_Buffer_IncreaseExternalReferenceCount);
  SLOT(PJRT_Buffer_DecreaseExternalReferenceCount);
  SLOT(PJRT_Buffer_OpaqueDeviceMemoryDataPointer);

  SLOT(PJRT_CopyToDeviceStream_Destroy);
  SLOT(PJRT_CopyToDeviceStream_AddChunk);
  SLOT(PJRT_CopyToDeviceStream_TotalBytes);
  SLOT(PJRT_CopyToDeviceStream_GranuleSize);
  SLOT(PJRT_CopyToDeviceStream_CurrentBytes);

  SLOT(PJRT_TopologyDescription_Create);
  SLOT(PJRT_TopologyDescription_Destroy);
  SLOT(PJRT_TopologyDescription_PlatformName);
  SLOT(PJRT_TopologyDescription_PlatformVersion);
  SLOT(PJRT_TopologyDescription_GetDeviceDescriptions);
  SLOT(PJRT_TopologyDescription_Serialize);
  SLOT(PJRT_TopologyDescription_Attributes);

  SLOT(PJRT_Compile);

  SLOT(PJRT_Executable_OutputElementTypes);
  SLOT(PJRT_Executable_OutputDimensions);
  SLOT(PJRT_Buffer_CopyToMemory);
  SLOT(PJRT_Client_CreateViewOfDeviceBuffer);
  SLOT(PJRT_Executable_Fingerprint);
  SLOT(PJRT_Client_TopologyDescription);
  CALL(PJRT_Executable_GetCompiledMemoryStats);
} PJRT_Api;

#undef CALL
#undef SLOT

#endif

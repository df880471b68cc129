// A driver without a device: libamdhip64 or libcuda by signature, with memory of the host.
//
// It runs one kernel that it knows by name, scale_f32(x, y, n, factor), keeps a clock of its own
// and writes down every call. STUB_MODE makes it misbehave. With the vendor's header
// (-DWITH_HEADER) the compiler holds every signature here against the real one.
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char log_text[1 << 20];
static size_t log_length;

const char* stub_calls(void) { return log_text; }
void stub_forget(void) { log_text[log_length = 0] = 0; }

#define NOTE(...)                                                                              \
    do {                                                                                       \
        if (log_length + 256 < sizeof log_text)                                                \
            log_length += (size_t)snprintf(log_text + log_length, 256, __VA_ARGS__);           \
    } while (0)

static int mode(const char* wanted) {
    const char* set = getenv("STUB_MODE");
    return set != NULL && strcmp(set, wanted) == 0;
}

static int modules;
static double clock_ms;
typedef struct { int number; uint8_t hash[32]; } stub_module;
typedef struct { stub_module* module; char name[64]; } stub_function;
typedef struct { double at; } stub_event;

static stub_module* load(const char* image, int is_text) {
    static const char mark[] = "rocm_pipeline_source_sha256[32] = {";
    stub_module* made = calloc(1, sizeof *made);
    made->number = modules++;
    const char* at = is_text ? strstr(image, mark) : NULL;
    if (at != NULL) {
        at += sizeof mark - 1;
        for (int i = 0; i < 32; ++i) {
            made->hash[i] = (uint8_t)strtol(at, (char**)&at, 10);
            at += strspn(at, ", ");
        }
    }
    if (mode("wrong_hash")) made->hash[0] ^= 1;
    return made;
}

static stub_function* look_up(stub_module* module, const char* name) {
    stub_function* made = calloc(1, sizeof *made);
    made->module = module;
    strncpy(made->name, name, sizeof made->name - 1);
    return made;
}

static int start(stub_function* function, unsigned gx, unsigned bx, unsigned shared, void** given) {
    NOTE("launch %s grid %u block %u shared %u\n", function->name, gx, bx, shared);
    if (mode("launch_error")) return 1;
    if (mode("hang")) sleep(600);
    // the second module is a tenth faster, and the clock trembles
    static unsigned tremble = 1;
    tremble = tremble * 1103515245u + 12345u;
    double noise = 1.0 + ((int)(tremble >> 16 & 0xff) - 128) * 1e-5;
    double factor_of_time = function->module->number % 2 && !mode("equal") ? 0.9 : 1.0;
    clock_ms += factor_of_time * noise;
    if (strcmp(function->name, "scale_f32") != 0) return 0;
    float* x = *(float**)given[0];
    float* y = *(float**)given[1];
    int n = *(int*)given[2];
    float factor = *(float*)given[3];
    for (int i = 0; i < n && (unsigned)i < gx * bx; ++i) y[i] = factor * x[i];
    if (mode("wrong_values") && n > 0) y[n - 1] += 1.0f;
    if (mode("second_is_wrong") && n > 0 && function->module->number % 2) y[0] += 1.0f;
    if (mode("overrun")) y[n] = 1.0f;
    if (mode("writes_input") && n > 0) x[0] += 1.0f;
    return 0;
}

#ifdef STUB_HIP
#ifdef WITH_HEADER
#define __HIP_PLATFORM_AMD__ 1
#include <hip/hip_runtime_api.h>
#undef hipGetDeviceProperties
#define PROPERTIES hipDeviceProp_t
#else
typedef int hipError_t;
typedef int hipDevice_t;
typedef int hipDeviceAttribute_t;
typedef void *hipStream_t, *hipModule_t, *hipFunction_t, *hipEvent_t, *hipDeviceptr_t;
#define PROPERTIES void
#endif
#define DONE ((hipError_t)0)
#define FAILED ((hipError_t)1)

const char* hipGetErrorString(hipError_t status) {
    return status == 0 ? "no error" : "the stub was asked to fail";
}
hipError_t hipInit(unsigned flags) { NOTE("hipInit %u\n", flags); return DONE; }
hipError_t hipGetDeviceCount(int* count) { *count = mode("no_device") ? 0 : 1; return DONE; }
hipError_t hipSetDevice(int device) { NOTE("hipSetDevice %d\n", device); return DONE; }
hipError_t hipStreamCreate(hipStream_t* made) { *made = (hipStream_t)0x57; return DONE; }
hipError_t hipDeviceGetName(char* name, int size, hipDevice_t device) {
    (void)device;
    snprintf(name, (size_t)size, "Stub Instinct");
    return DONE;
}
hipError_t hipDeviceTotalMem(size_t* bytes, hipDevice_t device) {
    (void)device;
    *bytes = (size_t)16 << 30;
    return DONE;
}
hipError_t hipDeviceGetAttribute(int* value, hipDeviceAttribute_t which, int device) {
    (void)device;
    switch ((int)which) {
    case 5: *value = 2100000; break;
    case 19: *value = 4 << 20; break;
    case 63: *value = 304; break;
    case 74: *value = 65536; break;
    case 87: *value = 64; break;
    default: return FAILED;
    }
    return DONE;
}
hipError_t hipRuntimeGetVersion(int* version) { *version = 60342134; return DONE; }
hipError_t hipGetDeviceProperties(PROPERTIES* properties, int device) {
    (void)device;
    memcpy((char*)properties, "Stub gfx000 Instinct", 21);
    memcpy((char*)properties + 600, "gfx942:sramecc+:xnack-", 23);
    return DONE;
}
hipError_t hipModuleLoadData(hipModule_t* made, const void* image) {
    if (memcmp(image, "\x7f" "ELF", 4) != 0) return FAILED;
    *made = (hipModule_t)load(image, 0);
    return DONE;
}
hipError_t hipModuleGetFunction(hipFunction_t* made, hipModule_t module, const char* name) {
    *made = (hipFunction_t)look_up((stub_module*)module, name);
    return DONE;
}
hipError_t hipMalloc(void** place, size_t size) { *place = malloc(size); return DONE; }
hipError_t hipMemcpyHtoD(hipDeviceptr_t to, void* from, size_t size) {
    memcpy(to, from, size);
    return DONE;
}
hipError_t hipMemcpyDtoH(void* to, hipDeviceptr_t from, size_t size) {
    memcpy(to, from, size);
    return DONE;
}
hipError_t hipMemset(void* place, int value, size_t size) {
    NOTE("memset %d of %zu\n", value, size);
    memset(place, value, size);
    return DONE;
}
hipError_t hipModuleLaunchKernel(
    hipFunction_t function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
    unsigned bz, unsigned shared, hipStream_t stream, void** parameters, void** extra) {
    if (gy != 1 || gz != 1 || by != 1 || bz != 1 || stream != (hipStream_t)0x57 || extra) return FAILED;
    return (hipError_t)start((stub_function*)function, gx, bx, shared, parameters);
}
hipError_t hipEventCreate(hipEvent_t* made) {
    *made = (hipEvent_t)calloc(1, sizeof(stub_event));
    return DONE;
}
hipError_t hipEventRecord(hipEvent_t event, hipStream_t stream) {
    (void)stream;
    ((stub_event*)event)->at = clock_ms;
    return DONE;
}
hipError_t hipEventSynchronize(hipEvent_t event) { (void)event; return DONE; }
hipError_t hipEventElapsedTime(float* ms, hipEvent_t first, hipEvent_t last) {
    *ms = (float)(((stub_event*)last)->at - ((stub_event*)first)->at);
    return DONE;
}
hipError_t hipDeviceSynchronize(void) { return DONE; }
#endif

#ifdef STUB_CUDA
#ifdef WITH_HEADER
#include <cuda.h>
#else
typedef int CUresult, CUdevice, CUdevice_attribute, CUfunction_attribute, CUjit_option;
typedef void *CUcontext, *CUstream, *CUmodule, *CUfunction, *CUevent;
typedef unsigned long long CUdeviceptr;
#endif
#define DONE ((CUresult)0)
#define FAILED ((CUresult)700)

CUresult cuGetErrorString(CUresult status, const char** words) {
    *words = status == 0 ? "no error" : "the stub was asked to fail";
    return DONE;
}
CUresult cuInit(unsigned flags) { NOTE("cuInit %u\n", flags); return DONE; }
CUresult cuDriverGetVersion(int* version) { *version = 12080; return DONE; }
CUresult cuDeviceGetCount(int* count) { *count = mode("no_device") ? 0 : 1; return DONE; }
CUresult cuDeviceGet(CUdevice* device, int number) { *device = number; return DONE; }
CUresult cuDeviceGetName(char* name, int size, CUdevice device) {
    (void)device;
    snprintf(name, (size_t)size, "Stub Hopper");
    return DONE;
}
CUresult cuDeviceTotalMem_v2(size_t* bytes, CUdevice device) {
    (void)device;
    *bytes = (size_t)80 << 30;
    return DONE;
}
CUresult cuDeviceGetAttribute(int* value, CUdevice_attribute which, CUdevice device) {
    (void)device;
    switch ((int)which) {
    case 10: *value = 32; break;
    case 13: *value = 1980000; break;
    case 16: *value = 132; break;
    case 38: *value = 50 << 20; break;
    case 75: *value = 9; break;
    case 76: *value = 0; break;
    case 97: *value = 232448; break;
    default: return FAILED;
    }
    return DONE;
}
CUresult cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice device) {
    (void)device;
    *context = (CUcontext)0xc0;
    return DONE;
}
CUresult cuCtxSetCurrent(CUcontext context) {
    return context == (CUcontext)0xc0 ? DONE : FAILED;
}
CUresult cuStreamCreate(CUstream* made, unsigned flags) {
    (void)flags;
    *made = (CUstream)0x57;
    return DONE;
}
CUresult cuModuleLoadDataEx(
    CUmodule* made, const void* image, unsigned count, CUjit_option* options, void** values) {
    if (strstr(image, ".version") == NULL) {
        for (unsigned i = 0; i < count; ++i)
            if ((int)options[i] == 5) strcpy(values[i], "ptxas fatal: no .version");
        return FAILED;
    }
    *made = (CUmodule)load(image, 1);
    return DONE;
}
CUresult cuModuleGetGlobal_v2(CUdeviceptr* place, size_t* size, CUmodule module, const char* name) {
    if (strcmp(name, "rocm_pipeline_source_sha256") != 0) return FAILED;
    *place = (CUdeviceptr)(uintptr_t)((stub_module*)module)->hash;
    *size = 32;
    return DONE;
}
CUresult cuModuleGetFunction(CUfunction* made, CUmodule module, const char* name) {
    *made = (CUfunction)look_up((stub_module*)module, name);
    return DONE;
}
CUresult cuFuncSetAttribute(CUfunction function, CUfunction_attribute which, int value) {
    (void)function;
    NOTE("attribute %d %d\n", (int)which, value);
    return DONE;
}
CUresult cuMemAlloc_v2(CUdeviceptr* place, size_t size) {
    *place = (CUdeviceptr)(uintptr_t)malloc(size);
    return DONE;
}
CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void* from, size_t size) {
    memcpy((void*)(uintptr_t)to, from, size);
    return DONE;
}
CUresult cuMemcpyDtoH_v2(void* to, CUdeviceptr from, size_t size) {
    memcpy(to, (void*)(uintptr_t)from, size);
    return DONE;
}
CUresult cuMemsetD8_v2(CUdeviceptr place, unsigned char value, size_t size) {
    NOTE("memset %d of %zu\n", value, size);
    memset((void*)(uintptr_t)place, value, size);
    return DONE;
}
CUresult cuLaunchKernel(
    CUfunction function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
    unsigned bz, unsigned shared, CUstream stream, void** parameters, void** extra) {
    if (gy != 1 || gz != 1 || by != 1 || bz != 1 || stream != (CUstream)0x57 || extra) return FAILED;
    return start((stub_function*)function, gx, bx, shared, parameters) ? FAILED : DONE;
}
CUresult cuEventCreate(CUevent* made, unsigned flags) {
    (void)flags;
    *made = (CUevent)calloc(1, sizeof(stub_event));
    return DONE;
}
CUresult cuEventRecord(CUevent event, CUstream stream) {
    (void)stream;
    ((stub_event*)event)->at = clock_ms;
    return DONE;
}
CUresult cuEventSynchronize(CUevent event) { (void)event; return DONE; }
#ifdef cuEventElapsedTime
#undef cuEventElapsedTime
#endif
CUresult cuEventElapsedTime(float* ms, CUevent first, CUevent last) {
    *ms = (float)(((stub_event*)last)->at - ((stub_event*)first)->at);
    return DONE;
}
CUresult cuCtxSynchronize(void) { return DONE; }
#endif

/* What runner.c and the C examples use of onnxruntime's C API, for machines without its own header.

   OrtApi is a table of functions whose order never changes: a new release only adds to its end, so
   that a program runs with every later library. All of these are among the 101 of the first
   version. A gap stands for functions that are not declared here; the number in its name is the
   position of the first. tests/runtimes/test_c.py compares positions, constants and signatures
   with the real header wherever there is one. */
#ifndef LSTM_EXPORT_ONNXRUNTIME_C_API_H
#define LSTM_EXPORT_ONNXRUNTIME_C_API_H

#include <stddef.h>
#include <stdint.h>

#define ORT_API_VERSION 1

typedef struct OrtEnv OrtEnv;
typedef struct OrtStatus OrtStatus;
typedef struct OrtSession OrtSession;
typedef struct OrtSessionOptions OrtSessionOptions;
typedef struct OrtRunOptions OrtRunOptions;
typedef struct OrtValue OrtValue;
typedef struct OrtMemoryInfo OrtMemoryInfo;
typedef struct OrtAllocator OrtAllocator;
typedef struct OrtTensorTypeAndShapeInfo OrtTensorTypeAndShapeInfo;

typedef enum { ORT_LOGGING_LEVEL_WARNING = 2, ORT_LOGGING_LEVEL_ERROR = 3 } OrtLoggingLevel;
typedef enum { OrtArenaAllocator = 1 } OrtAllocatorType;
typedef enum { OrtMemTypeDefault = 0 } OrtMemType;

typedef enum {
  ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT = 1,
  ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8 = 2,
  ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8 = 3,
  ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16 = 4,
  ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16 = 5,
  ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32 = 6,
  ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64 = 7,
  ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL = 9,
  ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16 = 10,
  ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE = 11,
  ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT32 = 12,
  ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64 = 13
} ONNXTensorElementDataType;

typedef void (*OrtGap)(void);

typedef struct OrtApi {
  OrtGap gap_0[2];
  const char *(*GetErrorMessage)(const OrtStatus *);
  OrtStatus *(*CreateEnv)(OrtLoggingLevel, const char *name, OrtEnv **);
  OrtGap gap_4[3];
  OrtStatus *(*CreateSession)(const OrtEnv *, const char *path, const OrtSessionOptions *,
                              OrtSession **);
  OrtGap gap_8[1];
  OrtStatus *(*Run)(OrtSession *, const OrtRunOptions *, const char *const *input_names,
                    const OrtValue *const *inputs, size_t input_count,
                    const char *const *output_names, size_t output_count, OrtValue **outputs);
  OrtStatus *(*CreateSessionOptions)(OrtSessionOptions **);
  OrtGap gap_11[13];
  OrtStatus *(*SetIntraOpNumThreads)(OrtSessionOptions *, int);
  OrtGap gap_25[6];
  OrtStatus *(*SessionGetOutputCount)(const OrtSession *, size_t *);
  OrtGap gap_32[5];
  OrtStatus *(*SessionGetOutputName)(const OrtSession *, size_t position, OrtAllocator *, char **);
  OrtGap gap_38[11];
  OrtStatus *(*CreateTensorWithDataAsOrtValue)(const OrtMemoryInfo *, void *values, size_t bytes,
                                               const int64_t *sizes, size_t rank,
                                               ONNXTensorElementDataType, OrtValue **);
  OrtGap gap_50[1];
  OrtStatus *(*GetTensorMutableData)(OrtValue *, void **);
  OrtGap gap_52[8];
  OrtStatus *(*GetTensorElementType)(const OrtTensorTypeAndShapeInfo *,
                                     ONNXTensorElementDataType *);
  OrtStatus *(*GetDimensionsCount)(const OrtTensorTypeAndShapeInfo *, size_t *rank);
  OrtStatus *(*GetDimensions)(const OrtTensorTypeAndShapeInfo *, int64_t *sizes, size_t rank);
  OrtGap gap_63[1];
  OrtStatus *(*GetTensorShapeElementCount)(const OrtTensorTypeAndShapeInfo *, size_t *);
  OrtStatus *(*GetTensorTypeAndShape)(const OrtValue *, OrtTensorTypeAndShapeInfo **);
  OrtGap gap_66[3];
  OrtStatus *(*CreateCpuMemoryInfo)(OrtAllocatorType, OrtMemType, OrtMemoryInfo **);
  OrtGap gap_70[8];
  OrtStatus *(*GetAllocatorWithDefaultOptions)(OrtAllocator **);
  OrtGap gap_79[13];
  void (*ReleaseEnv)(OrtEnv *);
  void (*ReleaseStatus)(OrtStatus *);
  void (*ReleaseMemoryInfo)(OrtMemoryInfo *);
  void (*ReleaseSession)(OrtSession *);
  void (*ReleaseValue)(OrtValue *);
  OrtGap gap_97[2];
  void (*ReleaseTensorTypeAndShapeInfo)(OrtTensorTypeAndShapeInfo *);
  void (*ReleaseSessionOptions)(OrtSessionOptions *);
} OrtApi;

typedef struct OrtApiBase {
  const OrtApi *(*GetApi)(uint32_t version);
  const char *(*GetVersionString)(void);
} OrtApiBase;

const OrtApiBase *OrtGetApiBase(void);

#endif

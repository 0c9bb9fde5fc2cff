/* One model in onnxruntime's C API, spoken to in the messages of parity/frames.py.

       runner LIBRARY MODEL.onnx

   The library is opened at run time, so that the one inside a Python or npm package will do. What
   onnxruntime refuses is told in its own words; bytes that are no message end the program with
   exit code 2 and a line on stderr, for nobody knows where the next message would begin. */
#define _POSIX_C_SOURCE 200809L
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <onnxruntime_c_api.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "messages are little-endian, and this program hands on the bytes of memory"
#endif

enum { MOST_TENSORS = 1000, MOST_AXES = 64, LONGEST_LINE = 4096 };

#define TYPE(name) ONNX_TENSOR_ELEMENT_DATA_TYPE_##name
static const struct {
  const char *name;
  ONNXTensorElementDataType type;
  size_t bytes;
} DTYPES[] = {
    {"float32", TYPE(FLOAT), 4}, {"float64", TYPE(DOUBLE), 8}, {"float16", TYPE(FLOAT16), 2},
    {"int64", TYPE(INT64), 8},   {"int32", TYPE(INT32), 4},    {"int16", TYPE(INT16), 2},
    {"int8", TYPE(INT8), 1},     {"uint8", TYPE(UINT8), 1},    {"uint16", TYPE(UINT16), 2},
    {"uint32", TYPE(UINT32), 4}, {"uint64", TYPE(UINT64), 8},  {"bool", TYPE(BOOL), 1},
};
enum { DTYPE_COUNT = sizeof DTYPES / sizeof *DTYPES };

static const OrtApi *ort;
static OrtMemoryInfo *memory;
static FILE *answers; /* what was stdout; anything else that is printed goes to stderr */

static void tell(const char *word, const char *text) {
  fprintf(answers, "%s %zu\n%s", word, strlen(text), text);
  fflush(answers);
}

static void no_message(const char *expected, const char *got) {
  int shown = (int)strcspn(got, "\n");
  fprintf(stderr, "expected %s, got \"%.*s\"\n", expected, shown < 60 ? shown : 60, got);
  exit(2);
}

/* The end of the input is 0 where a message may begin, and an error within one. */
static int read_line(char *line, int within) {
  if (!fgets(line, LONGEST_LINE, stdin)) {
    if (within) no_message("a tensor", "the end of the input");
    return 0;
  }
  if (!strchr(line, '\n')) no_message("a line", line);
  return 1;
}

static size_t number(const char *word, const char *line) {
  char *end = NULL;
  unsigned long long value = word && *word >= '0' && *word <= '9' ? strtoull(word, &end, 10) : 0;
  if (!end || *end || value > (1ull << 48)) no_message("a number", line);
  return (size_t)value;
}

/* One tensor from stdin. Its name and its bytes are the caller's to free. */
static OrtStatus *read_tensor(char **name, void **bytes, OrtValue **value) {
  char line[LONGEST_LINE], copy[LONGEST_LINE];
  int64_t sizes[MOST_AXES];
  int dtype = 0;
  read_line(line, 1);
  char *word = strtok(strcpy(copy, line), " \n"), *type = strtok(NULL, " \n");
  while (type && dtype < DTYPE_COUNT && strcmp(type, DTYPES[dtype].name)) dtype++;
  if (!type || dtype == DTYPE_COUNT) no_message("a tensor's name and dtype", line);
  size_t rank = number(strtok(NULL, " \n"), line), length = DTYPES[dtype].bytes;
  if (rank > MOST_AXES) no_message("at most 64 axes", line);
  for (size_t axis = 0; axis < rank; axis++) {
    size_t size = number(strtok(NULL, " \n"), line);
    if (size && length > SIZE_MAX / size) no_message("a tensor that fits in memory", line);
    length *= size;
    sizes[axis] = (int64_t)size;
  }
  if (strtok(NULL, " \n")) no_message("no more sizes than the rank says", line);
  *name = strdup(word);
  *bytes = malloc(length + 1);
  if (!*name || !*bytes) no_message("a tensor that fits in memory", line);
  if (fread(*bytes, 1, length, stdin) != length) no_message("all bytes of a tensor", line);
  return ort->CreateTensorWithDataAsOrtValue(memory, *bytes, length, sizes, rank,
                                             DTYPES[dtype].type, value);
}

/* One tensor to stdout, or, with `write` 0, only whether it can be told: the status if not. */
static OrtStatus *write_tensor(const char *name, OrtValue *value, int write) {
  OrtTensorTypeAndShapeInfo *info = NULL;
  ONNXTensorElementDataType type;
  int64_t sizes[MOST_AXES];
  size_t rank = 0, count = 0;
  int dtype = 0;
  void *bytes = NULL;
  OrtStatus *status = ort->GetTensorTypeAndShape(value, &info);
  if (!status) status = ort->GetTensorElementType(info, &type);
  if (!status) status = ort->GetDimensionsCount(info, &rank);
  if (!status && rank <= MOST_AXES) status = ort->GetDimensions(info, sizes, rank);
  if (!status) status = ort->GetTensorShapeElementCount(info, &count);
  if (!status) status = ort->GetTensorMutableData(value, &bytes);
  if (info) ort->ReleaseTensorTypeAndShapeInfo(info);
  if (status || !write) return status;
  while (dtype < DTYPE_COUNT && DTYPES[dtype].type != type) dtype++;
  if (dtype == DTYPE_COUNT || rank > MOST_AXES) no_message("an output of a known type", name);
  fprintf(answers, "%s %s %zu", name, DTYPES[dtype].name, rank);
  for (size_t axis = 0; axis < rank; axis++) fprintf(answers, " %lld", (long long)sizes[axis]);
  fputc('\n', answers);
  if (count) fwrite(bytes, DTYPES[dtype].bytes, count, answers);
  return NULL;
}

/* Reads the inputs of one run, all of them whatever is wrong with one, and answers. */
static void run(OrtSession *session, size_t given, size_t wanted, char **output_names) {
  static char *names[MOST_TENSORS];
  static void *bytes[MOST_TENSORS];
  static OrtValue *inputs[MOST_TENSORS], *outputs[MOST_TENSORS];
  OrtStatus *status = NULL;
  memset(inputs, 0, sizeof inputs);
  memset(outputs, 0, sizeof outputs);
  for (size_t i = 0; i < given; i++) {
    OrtStatus *one = read_tensor(&names[i], &bytes[i], &inputs[i]);
    if (status && one) ort->ReleaseStatus(one);
    if (!status) status = one;
  }
  if (!status)
    status = ort->Run(session, NULL, (const char *const *)names, (const OrtValue *const *)inputs,
                      given, (const char *const *)output_names, wanted, outputs);
  for (size_t i = 0; i < wanted && !status; i++)
    status = write_tensor(output_names[i], outputs[i], 0);
  if (status) {
    tell("failed", ort->GetErrorMessage(status));
    ort->ReleaseStatus(status);
  } else {
    fprintf(answers, "ok %zu\n", wanted);
    for (size_t i = 0; i < wanted; i++) write_tensor(output_names[i], outputs[i], 1);
    fflush(answers);
  }
  for (size_t i = 0; i < wanted; i++)
    if (outputs[i]) ort->ReleaseValue(outputs[i]);
  for (size_t i = 0; i < given; i++) {
    if (inputs[i]) ort->ReleaseValue(inputs[i]);
    free(bytes[i]);
    free(names[i]);
  }
}

static OrtStatus *load(const char *path, OrtSession **session, size_t *count, char **names) {
  OrtEnv *env;
  OrtSessionOptions *options;
  OrtAllocator *allocator;
  OrtStatus *status = ort->CreateEnv(ORT_LOGGING_LEVEL_ERROR, "runner", &env);
  if (!status) status = ort->CreateSessionOptions(&options);
  /* What is verified are the numbers; one thread leaves the other cores to the other runtimes. */
  if (!status) status = ort->SetIntraOpNumThreads(options, 1);
  if (!status) status = ort->CreateSession(env, path, options, session);
  if (!status) status = ort->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &memory);
  if (!status) status = ort->GetAllocatorWithDefaultOptions(&allocator);
  if (!status) status = ort->SessionGetOutputCount(*session, count);
  if (!status && *count > MOST_TENSORS) no_message("at most 1000 outputs", path);
  for (size_t i = 0; !status && i < *count; i++)
    status = ort->SessionGetOutputName(*session, i, allocator, &names[i]);
  return status;
}

int main(int argc, char **argv) {
  static char *names[MOST_TENSORS];
  char line[LONGEST_LINE], word[8];
  size_t count = 0;
  OrtSession *session = NULL;
  answers = fdopen(dup(1), "wb");
  if (argc != 3 || !answers || dup2(2, 1) < 0) no_message("LIBRARY MODEL.onnx", "other arguments");
  void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  const OrtApiBase *(*base)(void) = NULL;
  if (library) *(void **)&base = dlsym(library, "OrtGetApiBase");
  if (!base) return tell("refused", dlerror()), 0;
  /* All that is used here has been in the API since its first version: any library will do. */
  ort = base()->GetApi(1);
  OrtStatus *status = load(argv[2], &session, &count, names);
  if (status) return tell("refused", ort->GetErrorMessage(status)), 0;
  fprintf(answers, "ready 0\n");
  fflush(answers);
  while (read_line(line, 0)) {
    char tensors[24], more;
    if (sscanf(line, "%7s %23s %c", word, tensors, &more) != 2 || strcmp(word, "run"))
      no_message("run and a number", line);
    size_t given = number(tensors, line);
    if (given > MOST_TENSORS) no_message("at most 1000 tensors", line);
    run(session, given, count, names);
  }
  return 0;
}

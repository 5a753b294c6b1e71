/* The accelerator: what of _wire costs time in proportion to its bytes or its messages, in C.
 *
 * It has the names and signatures of its Python twins in masking.py, frames.py, batches.py and
 * filling.py, whose docstrings say what they do; `websocket.backend()` says which of them runs. No
 * state is static: the module can be loaded in sub-interpreters and without the GIL.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>
#ifndef _WIN32
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#endif

/* XOR `length` bytes with the key, eight at a time; `memcpy` because nothing is aligned. The plain
 * loop is what compilers turn into vector instructions. */
static void
xor_into(unsigned char *restrict to, const unsigned char *restrict from, Py_ssize_t length,
         const unsigned char *key)
{
    unsigned char twice[8];
    uint64_t wide, block;
    Py_ssize_t i = 0;

    memcpy(twice, key, 4);
    memcpy(twice + 4, key, 4);
    memcpy(&wide, twice, 8);
    for (; i + 8 <= length; i += 8) {
        memcpy(&block, from + i, 8);
        block ^= wide;
        memcpy(to + i, &block, 8);
    }
    for (; i < length; i++) {
        to[i] = from[i] ^ key[i & 3];
    }
}

/* The buffer of a key, checked; 0, or -1 with an exception set. */
static int
get_key(PyObject *object, Py_buffer *key)
{
    if (PyObject_GetBuffer(object, key, PyBUF_SIMPLE) < 0) {
        return -1;
    }
    if (key->len != 4) {
        PyErr_Format(PyExc_ValueError, "a masking key has 4 bytes, got %zd", key->len);
        PyBuffer_Release(key);
        return -1;
    }
    return 0;
}

/* The bytes of a payload. A strided view has none in one piece: those of a copy are taken. */
static int
get_payload(PyObject *object, Py_buffer *payload)
{
    PyObject *copy;
    int result;

    if (PyObject_GetBuffer(object, payload, PyBUF_SIMPLE) == 0) {
        return 0;
    }
    if (!PyErr_ExceptionMatches(PyExc_BufferError)) {
        return -1;
    }
    PyErr_Clear();
    copy = PyBytes_FromObject(object);
    if (copy == NULL) {
        return -1;
    }
    result = PyObject_GetBuffer(copy, payload, PyBUF_SIMPLE); /* holds the copy from here on */
    Py_DECREF(copy);
    return result;
}

static PyObject *
speedups_mask(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    Py_buffer key, data;
    PyObject *masked;

    (void)module;
    if (count != 2) {
        PyErr_Format(PyExc_TypeError, "mask() takes a key and data, got %zd arguments", count);
        return NULL;
    }
    if (get_key(args[0], &key) < 0) {
        return NULL;
    }
    if (get_payload(args[1], &data) < 0) {
        PyBuffer_Release(&key);
        return NULL;
    }
    masked = PyBytes_FromStringAndSize(NULL, data.len);
    if (masked != NULL) {
        xor_into((unsigned char *)PyBytes_AS_STRING(masked), data.buf, data.len, key.buf);
    }
    PyBuffer_Release(&data);
    PyBuffer_Release(&key);
    return masked;
}

#define MAX_HEADER 14

/* Write the header of RFC 6455 5.2, with the masking key if there is one; returns its length. */
static int
put_header(unsigned char *to, int first, const unsigned char *key, uint64_t length)
{
    int mask_bit = key == NULL ? 0 : 0x80, size = 2, i;

    to[0] = (unsigned char)first;
    if (length < 126) {
        to[1] = (unsigned char)(mask_bit | (int)length);
    }
    else {
        size = length < 65536 ? 4 : 10;
        to[1] = (unsigned char)(mask_bit | (size == 4 ? 126 : 127));
        for (i = 2; i < size; i++) {
            to[i] = (unsigned char)(length >> (8 * (size - 1 - i)));
        }
    }
    if (key != NULL) {
        memcpy(to + size, key, 4);
        size += 4;
    }
    return size;
}

/* The bytes of a text in UTF-8. Those of ASCII are its own; others are not left behind in it. */
static int
get_text(PyObject *object, Py_buffer *payload)
{
    PyObject *encoded;
    int result;

    if (PyUnicode_IS_COMPACT_ASCII(object)) {
        return PyBuffer_FillInfo(payload, object, PyUnicode_DATA(object),
                                 PyUnicode_GET_LENGTH(object), 1, PyBUF_SIMPLE);
    }
    encoded = PyUnicode_AsUTF8String(object);
    if (encoded == NULL) {
        return -1;
    }
    result = PyObject_GetBuffer(encoded, payload, PyBUF_SIMPLE);
    Py_DECREF(encoded);
    return result;
}

static PyObject *
build_frame(int first, const Py_buffer *payload, const unsigned char *key)
{
    unsigned char header[MAX_HEADER];
    int size = put_header(header, first, key, (uint64_t)payload->len);
    PyObject *frame;
    unsigned char *to;

    if (payload->len > PY_SSIZE_T_MAX - size) {
        return PyErr_NoMemory();
    }
    frame = PyBytes_FromStringAndSize(NULL, size + payload->len);
    if (frame == NULL) {
        return NULL;
    }
    to = (unsigned char *)PyBytes_AS_STRING(frame);
    memcpy(to, header, (size_t)size);
    if (key != NULL) {
        xor_into(to + size, payload->buf, payload->len, key);
    }
    else if (payload->len > 0) {
        memcpy(to + size, payload->buf, (size_t)payload->len);
    }
    return frame;
}

/* encode_frame(opcode, payload, key, fin=True, rsv=0) */
static PyObject *
speedups_encode_frame(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    Py_buffer payload, key;
    PyObject *frame;
    long opcode, rsv = 0;
    int fin = 1;

    (void)module;
    if (count < 3 || count > 5) {
        PyErr_Format(PyExc_TypeError, "encode_frame() takes 3 to 5 arguments, got %zd", count);
        return NULL;
    }
    opcode = PyLong_AsLong(args[0]);
    if (opcode == -1 && PyErr_Occurred()) {
        return NULL;
    }
    if (count > 3 && (fin = PyObject_IsTrue(args[3])) < 0) {
        return NULL;
    }
    if (count > 4 && (rsv = PyLong_AsLong(args[4])) == -1 && PyErr_Occurred()) {
        return NULL;
    }
    if (opcode < 0 || opcode > 15 || rsv < 0 || rsv > 7) {
        PyErr_Format(PyExc_ValueError, "no frame has opcode %ld and reserved bits %ld", opcode, rsv);
        return NULL;
    }
    if ((PyUnicode_Check(args[1]) ? get_text : get_payload)(args[1], &payload) < 0) {
        return NULL;
    }
    if (args[2] == Py_None) {
        frame = build_frame((int)(opcode | rsv << 4 | (fin ? 0x80 : 0)), &payload, NULL);
    }
    else if (get_key(args[2], &key) < 0) {
        frame = NULL;
    }
    else {
        frame = build_frame((int)(opcode | rsv << 4 | (fin ? 0x80 : 0)), &payload, key.buf);
        PyBuffer_Release(&key);
    }
    PyBuffer_Release(&payload);
    return frame;
}

#ifndef _WIN32
#define HAVE_SOCKETS

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* macOS: Python ignores SIGPIPE */
#endif

#define ON_STACK 4096

typedef struct {
    PyObject *fileno; /* the name */
    void *scratch;    /* room for a chunk, for whoever looks next; NULL while it is in use */
} State;

/* The descriptor of a socket; for a closed one OSError, as the socket itself would raise. */
static int
get_descriptor(State *state, PyObject *socket)
{
    PyObject *arguments[2] = {NULL, socket}; /* the first is room for the callee */
    PyObject *number = PyObject_VectorcallMethod(
        state->fileno, arguments + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    long descriptor;

    if (number == NULL) {
        return -1;
    }
    descriptor = PyLong_AsLong(number);
    Py_DECREF(number);
    if ((descriptor < 0 || descriptor > INT_MAX) && !PyErr_Occurred()) {
        errno = EBADF;
        PyErr_SetFromErrno(PyExc_OSError);
    }
    return PyErr_Occurred() ? -1 : (int)descriptor;
}

/* Send, waiting only as the socket itself does; what the kernel took, or -1 with an exception. */
static Py_ssize_t
send_some(State *state, PyObject *socket, const unsigned char *data, Py_ssize_t length)
{
    Py_ssize_t sent;
    int descriptor;

    for (;;) {
        descriptor = get_descriptor(state, socket); /* each time: a signal handler may have closed it */
        if (descriptor < 0) {
            return -1;
        }
        Py_BEGIN_ALLOW_THREADS
        sent = send(descriptor, data, (size_t)length, MSG_NOSIGNAL);
        Py_END_ALLOW_THREADS
        if (sent >= 0) {
            return sent;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return 0;
        }
        if (errno != EINTR) {
            PyErr_SetFromErrno(PyExc_OSError);
            return -1;
        }
        if (PyErr_CheckSignals() < 0) {
            return -1;
        }
    }
}

/* send_frame(stream, socket, opcode, payload, next_key): a whole message, encoded and given to the
 * kernel.
 *
 * Three floors are fused, since in Python each of them costs about a tenth of a small send. What it
 * returns is the frame's length, or, if the kernel did not take all of it, (frame, sent). If that
 * is half a frame, `stream.half_sent` is set in here: on the way back a signal handler may raise. */
static PyObject *
speedups_send_frame(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    unsigned char small[ON_STACK], *frame = small;
    Py_buffer payload, key;
    Py_ssize_t length, sent;
    PyObject *result = NULL, *large = NULL, *fresh;
    int opcode, size, failed;

    if (count != 5) {
        return PyErr_Format(PyExc_TypeError, "send_frame() takes 5 arguments, got %zd", count);
    }
    opcode = (int)PyLong_AsLong(args[2]);
    if (opcode == -1 && PyErr_Occurred()) {
        return NULL;
    }
    fresh = PyObject_CallNoArgs(args[4]);
    if (fresh == NULL) {
        return NULL;
    }
    failed = get_key(fresh, &key); /* which holds it from here on */
    Py_DECREF(fresh);
    if (failed) {
        return NULL;
    }
    if ((PyUnicode_Check(args[3]) ? get_text : get_payload)(args[3], &payload) < 0) {
        PyBuffer_Release(&key);
        return NULL;
    }
    if (payload.len > ON_STACK - MAX_HEADER) {
        large = build_frame(0x80 | (opcode & 0x0F), &payload, key.buf);
        if (large == NULL) {
            goto done;
        }
        frame = (unsigned char *)PyBytes_AS_STRING(large);
        length = PyBytes_GET_SIZE(large);
    }
    else {
        size = put_header(frame, 0x80 | (opcode & 0x0F), key.buf, (uint64_t)payload.len);
        xor_into(frame + size, payload.buf, payload.len, key.buf);
        length = size + payload.len;
    }
    sent = send_some(PyModule_GetState(module), args[1], frame, length);
    if (sent == length) {
        result = PyLong_FromSsize_t(length);
    }
    else if (sent == 0 || (sent > 0 && !PyObject_SetAttrString(args[0], "half_sent", Py_True))) {
        if (large == NULL) {
            large = PyBytes_FromStringAndSize((char *)frame, length);
        }
        if (large != NULL) {
            result = Py_BuildValue("(On)", large, sent);
        }
    }
done:
    Py_XDECREF(large);
    PyBuffer_Release(&payload);
    PyBuffer_Release(&key);
    return result;
}
#endif

/* The header of an unmasked frame that is whole in `buffer`: RFC 6455 5.2. */
typedef struct {
    int first;
    Py_ssize_t begin, end; /* of the payload */
} Frame;

#define CUT (-1)

/* The frame at `position`; CUT when its payload has not come whole, 0 when its header has not, or
 * when it is masked or its length is not allowed. */
static int
find_frame(const unsigned char *buffer, Py_ssize_t size, Py_ssize_t position, Frame *frame)
{
    const unsigned char *at = buffer + position;
    Py_ssize_t left = size - position;
    uint64_t length;
    int header = 2, i;

    if (left < 2) {
        return 0;
    }
    length = at[1];
    if (length > 125) {
        header = length == 126 ? 4 : 10;
        if (length > 127 || left < header) {
            return 0;
        }
        length = 0;
        for (i = 2; i < header; i++) {
            length = length << 8 | at[i];
        }
        if (length < (header == 4 ? 126u : 65536u)) {
            return 0;
        }
    }
    if (length > (uint64_t)(left - header)) {
        return CUT;
    }
    frame->first = at[0];
    frame->begin = position + header;
    frame->end = frame->begin + (Py_ssize_t)length;
    return 1;
}

/* The arguments (buffer: bytes, position, max_size) of both parsers; 0, or -1 with an exception. */
static int
get_batch(const char *name, PyObject *const *args, Py_ssize_t count, Py_ssize_t *position,
          Py_ssize_t *max_size)
{
    if (count != 3 || !PyBytes_Check(args[0])) {
        PyErr_Format(PyExc_TypeError, "%s() takes bytes, a position and a size", name);
        return -1;
    }
    *position = PyLong_AsSsize_t(args[1]);
    if (*position == -1 && PyErr_Occurred()) {
        return -1;
    }
    *max_size = PyNumber_AsSsize_t(args[2], NULL); /* what is beyond is no limit here */
    if (*max_size == -1 && PyErr_Occurred()) {
        return -1;
    }
    if (*position < 0 || *position > PyBytes_GET_SIZE(args[0])) {
        PyErr_Format(PyExc_ValueError, "%s(): no position %zd in %zd bytes", name, *position,
                     PyBytes_GET_SIZE(args[0]));
        return -1;
    }
    return 0;
}

/* Whether there is no high bit in so many bytes; eight at a time, as `xor_into`. */
static int
is_ascii(const unsigned char *at, Py_ssize_t length)
{
    uint64_t block, seen = 0;
    Py_ssize_t i = 0;

    for (; i + 8 <= length; i += 8) {
        memcpy(&block, at + i, 8);
        seen |= block;
    }
    for (; i < length; i++) {
        seen |= at[i];
    }
    return (seen & UINT64_C(0x8080808080808080)) == 0;
}

/* Text from UTF-8. Most is ASCII, which is copied faster than the decoder does it. */
static PyObject *
make_text(const char *data, Py_ssize_t length)
{
    PyObject *text;

    if (length < 64 || !is_ascii((const unsigned char *)data, length)) {
        return PyUnicode_DecodeUTF8(data, length, NULL);
    }
    text = PyUnicode_New(length, 127);
    if (text != NULL) {
        memcpy(PyUnicode_DATA(text), data, (size_t)length);
    }
    return text;
}

/* One message as str or bytes; NULL without an exception for what is no plain message. */
static PyObject *
make_message(const unsigned char *buffer, const Frame *frame)
{
    const char *data = (const char *)buffer + frame->begin;
    Py_ssize_t length = frame->end - frame->begin;
    PyObject *text;

    if (frame->first == 0x82) {
        return PyBytes_FromStringAndSize(data, length);
    }
    if (frame->first != 0x81) {
        return NULL;
    }
    text = make_text(data, length);
    if (text == NULL && PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) {
        PyErr_Clear();
    }
    return text;
}

/* (first, list, two numbers), faster than by a format; takes over both objects, which may be NULL
 * with an exception set. */
static PyObject *
pack(PyObject *first, PyObject *list, Py_ssize_t one, Py_ssize_t other)
{
    PyObject *items[4] = {first, list, NULL, NULL}, *packed = NULL;
    int i;

    if (first != NULL && list != NULL) {
        items[2] = PyLong_FromSsize_t(one);
        items[3] = PyLong_FromSsize_t(other);
        if (items[2] != NULL && items[3] != NULL) {
            packed = PyTuple_Pack(4, items[0], items[1], items[2], items[3]);
        }
    }
    for (i = 0; i < 4; i++) {
        Py_XDECREF(items[i]);
    }
    return packed;
}

/* The messages from `*position` on, at most `most`, as a list, next one first; moves `*position`
 * behind them and adds the bytes of their payloads to `*payloads`. */
static PyObject *
parse_plain(const unsigned char *buffer, Py_ssize_t size, Py_ssize_t max_size, Py_ssize_t most,
            Py_ssize_t *position, Py_ssize_t *payloads)
{
    PyObject *messages = PyList_New(0), *message;
    Frame frame;
    int failed;

    if (messages == NULL) {
        return NULL;
    }
    while (most-- > 0 && find_frame(buffer, size, *position, &frame) > 0) {
        if (max_size >= 0 && frame.end - frame.begin > max_size) {
            break;
        }
        message = make_message(buffer, &frame);
        if (message == NULL) {
            break;
        }
        failed = PyList_Append(messages, message);
        Py_DECREF(message);
        if (failed) {
            break;
        }
        *payloads += frame.end - frame.begin;
        *position = frame.end;
    }
    if (PyErr_Occurred()) {
        Py_DECREF(messages);
        return NULL;
    }
    return messages;
}

static PyObject *
speedups_parse_messages(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    Py_ssize_t position, max_size, payloads = 0;
    PyObject *messages;

    (void)module;
    if (get_batch("parse_messages", args, count, &position, &max_size) < 0) {
        return NULL;
    }
    messages = parse_plain((const unsigned char *)PyBytes_AS_STRING(args[0]),
                           PyBytes_GET_SIZE(args[0]), max_size, PY_SSIZE_T_MAX, &position,
                           &payloads);
    return messages == NULL ? NULL : Py_BuildValue("(Nnn)", messages, position, payloads);
}

static PyObject *
speedups_parse_fragments(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    Py_ssize_t start, position, max_size, size, total = 0;
    const unsigned char *buffer;
    unsigned char *to;
    PyObject *joined;
    Frame frame;
    int final = 0;

    (void)module;
    if (get_batch("parse_fragments", args, count, &start, &max_size) < 0) {
        return NULL;
    }
    buffer = (const unsigned char *)PyBytes_AS_STRING(args[0]);
    size = PyBytes_GET_SIZE(args[0]);
    position = start;
    while (!final && find_frame(buffer, size, position, &frame) > 0 && (frame.first & 0x7F) == 0) {
        if (max_size >= 0 && frame.end - frame.begin > max_size - total) {
            break;
        }
        total += frame.end - frame.begin;
        final = frame.first == 0x80;
        position = frame.end;
    }
    joined = PyBytes_FromStringAndSize(NULL, total);
    if (joined == NULL) {
        return NULL;
    }
    to = (unsigned char *)PyBytes_AS_STRING(joined);
    while (start < position && find_frame(buffer, size, start, &frame) > 0) {
        memcpy(to, buffer + frame.begin, (size_t)(frame.end - frame.begin));
        to += frame.end - frame.begin;
        start = frame.end;
    }
    return Py_BuildValue("(NNn)", joined, PyBool_FromLong(final), position);
}

#ifdef HAVE_SOCKETS
#define CHUNK ((1 << 16) + 16) /* as in streams.py */
#define SMALL_CHUNK (1 << 12)  /* all but one message would be looked at in vain */
#define BEGINNING (1 << 14)    /* of a large frame; the rest is better received where it stays */

/* The only one who has it gets it; whoever comes meanwhile gets one of his own. In between it is
 * kept: to free it would have the allocator give pages back to the system and fetch them again. */
static void *
take_scratch(State *state)
{
    void *scratch = __atomic_exchange_n(&state->scratch, NULL, __ATOMIC_ACQ_REL);

    return scratch != NULL ? scratch : malloc(CHUNK);
}

static void
give_scratch(State *state, void *scratch)
{
    free(__atomic_exchange_n(&state->scratch, scratch, __ATOMIC_ACQ_REL));
}

/* Without the GIL: take out of the kernel's queue what was consumed. 0, or -1 with errno set. */
static int
take_out(int descriptor, unsigned char *to, Py_ssize_t *consumed, int truncate)
{
    Py_ssize_t taken;

    while (*consumed > 0) {
        taken = recv(descriptor, to, (size_t)*consumed, truncate);
        if (taken == 0) {
            *consumed = 0; /* the connection was reset since */
        }
        else if (taken > 0) {
            *consumed -= taken;
        }
        else if (errno != EINTR) { /* nothing was waited for, the handler runs soon enough */
            return -1;
        }
    }
    return 0;
}

static double
now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Wait for something to read as long as the socket's own timeout says; -1 with an exception, which
 * is BlockingIOError where there is no such timeout. */
static int
wait_to_look(State *state, PyObject *socket)
{
    struct pollfd polled = {.events = POLLIN};
    double left, until;
    int found;
    PyObject *timeout = PyObject_CallMethod(socket, "gettimeout", NULL);

    if (timeout == NULL) {
        return -1;
    }
    left = timeout == Py_None ? 0 : PyFloat_AsDouble(timeout);
    Py_DECREF(timeout);
    if (left <= 0) {
        if (!PyErr_Occurred()) {
            errno = EAGAIN;
            PyErr_SetFromErrno(PyExc_OSError);
        }
        return -1;
    }
    for (until = now() + left; left > 0; left = until - now()) {
        polled.fd = get_descriptor(state, socket); /* each time: a signal handler may have closed it */
        if (polled.fd < 0) {
            return -1;
        }
        left = left < 1e6 ? left : 1e6;
        Py_BEGIN_ALLOW_THREADS
        found = poll(&polled, 1, (int)(left * 1e3) + 1);
        Py_END_ALLOW_THREADS
        if (found > 0) {
            return 0;
        }
        if (found < 0 && errno != EINTR) {
            PyErr_SetFromErrno(PyExc_OSError);
            return -1;
        }
        if (found < 0 && PyErr_CheckSignals() < 0) {
            return -1;
        }
    }
    PyErr_SetString(PyExc_TimeoutError, "timed out");
    return -1;
}

/* Take out what was consumed, and look at what is behind it, as long as it takes: how many bytes,
 * 0 at the end, or -1 with an exception. */
static Py_ssize_t
look(State *state, PyObject *socket, unsigned char *to, size_t room, Py_ssize_t consumed,
     int truncate, int wait)
{
    Py_ssize_t size = -1;
    int descriptor;

    for (;;) {
        descriptor = get_descriptor(state, socket); /* each time, as above */
        if (descriptor < 0) {
            return -1;
        }
        Py_BEGIN_ALLOW_THREADS
        if (take_out(descriptor, to, &consumed, truncate) == 0) {
            size = recv(descriptor, to, room, MSG_PEEK | (wait ? 0 : MSG_DONTWAIT));
        }
        Py_END_ALLOW_THREADS
        if (size >= 0) {
            return size;
        }
        if (wait && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            if (wait_to_look(state, socket) < 0) {
                return -1;
            }
        }
        else if (errno != EINTR) {
            PyErr_SetFromErrno(PyExc_OSError);
            return -1;
        }
        else if (PyErr_CheckSignals() < 0) {
            return -1;
        }
    }
}

/* Take so much of what was looked at out of the queue; 0, or -1 with an exception. */
static int
take_out_now(State *state, PyObject *socket, unsigned char *scratch, Py_ssize_t size, int truncate)
{
    int descriptor = get_descriptor(state, socket), failed;

    if (descriptor < 0) {
        return -1;
    }
    Py_BEGIN_ALLOW_THREADS
    failed = take_out(descriptor, scratch, &size, truncate);
    Py_END_ALLOW_THREADS
    if (failed) {
        PyErr_SetFromErrno(PyExc_OSError);
    }
    return failed;
}

/* receive_messages(socket, consumed, truncate, max_size, ahead, wait): what PlainStream.read and
 * parse_messages do one after the other, fused, since a small message costs less than the way
 * between them.
 *
 * Takes `consumed` bytes out of the kernel's queue, with the flag `truncate`, and peeks; if `wait`,
 * waits as the socket itself does. Returns (rest, messages, their bytes, those of their payloads).
 * Only what comes first and is no whole plain message is handed out as `rest`, of a large frame
 * its beginning: behind messages it stays in the queue as if nobody had looked. If not `ahead`, one message at most is handed out,
 * and nothing else. `rest` is None where the message is out of the queue already: if not `ahead`,
 * or, for a loop that does not `wait`, if it was all that had come. */
static PyObject *
speedups_receive_messages(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    State *state = PyModule_GetState(module);
    Py_ssize_t consumed, max_size, size, end = 0, payloads = 0;
    PyObject *messages, *rest = NULL, *result = NULL;
    unsigned char *scratch;
    int truncate, ahead, wait, out;
    Frame frame;

    if (count != 6) {
        return PyErr_Format(PyExc_TypeError, "receive_messages() takes 6 arguments, got %zd",
                            count);
    }
    consumed = PyLong_AsSsize_t(args[1]);
    truncate = (int)PyLong_AsLong(args[2]);
    max_size = PyNumber_AsSsize_t(args[3], NULL); /* what is beyond is no limit here */
    ahead = PyObject_IsTrue(args[4]);
    wait = PyObject_IsTrue(args[5]);
    if (PyErr_Occurred()) {
        return NULL;
    }
    if (consumed < 0 || consumed > CHUNK) {
        return PyErr_Format(PyExc_ValueError, "nobody has looked at %zd bytes", consumed);
    }
    scratch = take_scratch(state);
    if (scratch == NULL) {
        return PyErr_NoMemory();
    }
    size = look(state, args[0], scratch, ahead ? CHUNK : SMALL_CHUNK, consumed, truncate,
                wait);
    if (size >= 0) {
        messages =
            parse_plain(scratch, size, max_size, ahead ? PY_SSIZE_T_MAX : 1, &end, &payloads);
        out = !ahead || (!wait && end == size && size < CHUNK && messages != NULL &&
                         PyList_GET_SIZE(messages) == 1);
        if (end == 0 && size > BEGINNING && find_frame(scratch, size, 0, &frame) == CUT) {
            size = BEGINNING;
        }
        if (messages != NULL && !(out && take_out_now(state, args[0], scratch, end, truncate))) {
            rest = out ? Py_NewRef(Py_None)
                       : PyBytes_FromStringAndSize((char *)scratch, end > 0 ? 0 : size);
        }
        result = pack(rest, messages, end, payloads);
    }
    give_scratch(state, scratch);
    return result;
}
#endif

/* --- Filling -------------------------------------------------------------------------------------
 * A payload is received straight into the bytes, or into the ASCII str, that it becomes. The memory
 * belongs to a Python object that nobody else sees before it is whole; as long as somebody holds a
 * view of it (`exports`) it neither moves nor leaves.
 */

typedef struct {
    PyObject_HEAD
    PyObject *memory; /* bytes, or str if `text`; NULL while empty */
    Py_ssize_t size, have, exports;
    Py_ssize_t expected; /* how large the memory is made at first, if that is not too much */
    Py_ssize_t shown, shown_end; /* what the next view shows */
    int text, ascii;
} Filling;

#define FIRST_ROOM (1 << 18) /* as in filling.py */
#define SET_ASIDE (1 << 22)  /* memory that is not touched costs nothing */

/* Ask for large memory in huge pages: to have it come in small ones costs several times what it
 * costs to receive and parse what goes there. The mapping as a whole, so that it can still grow. */
static void
ask_for_huge_pages(const void *memory, Py_ssize_t size)
{
#ifdef MADV_HUGEPAGE
    uintptr_t page = 4096, begin = (uintptr_t)memory & ~(page - 1);

    if (size > SET_ASIDE) {
        (void)madvise((void *)begin, (uintptr_t)memory + (size_t)size - begin, MADV_HUGEPAGE);
    }
#else
    (void)memory;
    (void)size;
#endif
}

static char *
filling_data(Filling *self)
{
    return self->text ? (char *)PyUnicode_DATA(self->memory) : PyBytes_AS_STRING(self->memory);
}

/* Whether nobody holds a view; otherwise an exception. */
static int
filling_is_free(Filling *self)
{
    if (self->exports > 0) {
        PyErr_SetString(PyExc_BufferError, "a view of this payload has not been released");
        return 0;
    }
    return 1;
}

static int
filling_resize(Filling *self, Py_ssize_t size)
{
    if (self->memory == NULL) {
        if (size < self->expected) { /* to be moved, and leave holes, would cost page faults */
            size = self->expected;
        }
        self->memory =
            self->text ? PyUnicode_New(size, 127) : PyBytes_FromStringAndSize(NULL, size);
    }
    else if (size != self->size) {
        if (self->text) {
            if (PyUnicode_Resize(&self->memory, size) < 0) {
                return -1;
            }
        }
        else if (_PyBytes_Resize(&self->memory, size) < 0) { /* NULL then */
            self->size = self->have = self->shown = self->shown_end = 0;
            return -1;
        }
    }
    if (self->memory == NULL) {
        return -1;
    }
    if (size > self->size) {
        ask_for_huge_pages(filling_data(self), size);
    }
    self->size = size;
    return 0;
}

/* Make room for `most` bytes, or for as many as have come: a length is only a claim. */
static int
filling_reserve(Filling *self, Py_ssize_t most, Py_ssize_t *end)
{
    Py_ssize_t step = self->have > FIRST_ROOM ? self->have : FIRST_ROOM;

    if (most < 1 || self->have > PY_SSIZE_T_MAX - step) {
        PyErr_SetString(PyExc_ValueError, "there is no room of that size");
        return -1;
    }
    *end = self->have + (most < step ? most : step);
    return *end > self->size ? filling_resize(self, *end) : 0;
}

static void
filling_took(Filling *self, Py_ssize_t count)
{
    if (self->text && self->ascii) {
        self->ascii = is_ascii((const unsigned char *)filling_data(self) + self->have, count);
    }
    self->have += count;
}

static PyObject *
Filling_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"text", "expected", NULL};
    Filling *self;
    Py_ssize_t expected = 0;
    int text = 0;

    if (!PyArg_ParseTupleAndKeywords(args, keywords, "|pn:Filling", names, &text, &expected)) {
        return NULL;
    }
    self = (Filling *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->text = self->ascii = text;
        self->expected = expected < SET_ASIDE ? expected : SET_ASIDE;
    }
    return (PyObject *)self;
}

static void
Filling_dealloc(Filling *self)
{
    PyTypeObject *type = Py_TYPE(self);

    Py_XDECREF(self->memory);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyObject *
filling_show(Filling *self, Py_ssize_t start, Py_ssize_t end)
{
    if (self->memory == NULL && filling_resize(self, end > 1 ? end : 1) < 0) {
        return NULL;
    }
    self->shown = start;
    self->shown_end = end;
    return PyMemoryView_FromObject((PyObject *)self);
}

static int
Filling_getbuffer(Filling *self, Py_buffer *view, int flags)
{
    int failed;

    if (self->memory == NULL) {
        PyErr_SetString(PyExc_BufferError, "there is nothing to show");
        view->obj = NULL;
        return -1;
    }
    failed = PyBuffer_FillInfo(view, (PyObject *)self, filling_data(self) + self->shown,
                               self->shown_end - self->shown, 0, flags);
    if (!failed) {
        self->exports++;
    }
    return failed;
}

static void
Filling_releasebuffer(Filling *self, Py_buffer *view)
{
    (void)view;
    self->exports--;
}

static PyObject *
Filling_write(Filling *self, PyObject *piece)
{
    Py_ssize_t length, end;

    if (!PyBytes_Check(piece)) {
        return PyErr_Format(PyExc_TypeError, "expected bytes, got %.100s", Py_TYPE(piece)->tp_name);
    }
    if (!filling_is_free(self)) {
        return NULL;
    }
    length = PyBytes_GET_SIZE(piece);
    if (length > (PY_SSIZE_T_MAX >> 1) - self->have) {
        return PyErr_NoMemory();
    }
    end = self->have + length;
    if (length > 0) {
        if (end > self->size && filling_resize(self, end + end) < 0) {
            return NULL;
        }
        memcpy(filling_data(self) + self->have, PyBytes_AS_STRING(piece), (size_t)length);
        filling_took(self, length);
    }
    Py_RETURN_NONE;
}

static PyObject *
Filling_room(Filling *self, PyObject *most)
{
    Py_ssize_t count = PyLong_AsSsize_t(most), end;

    if ((count == -1 && PyErr_Occurred()) || !filling_is_free(self) ||
        filling_reserve(self, count, &end) < 0) {
        return NULL;
    }
    return filling_show(self, self->have, end);
}

static PyObject *
Filling_took(Filling *self, PyObject *argument)
{
    Py_ssize_t count = PyLong_AsSsize_t(argument);

    if (count == -1 && PyErr_Occurred()) {
        return NULL;
    }
    if (count < 0 || count > self->size - self->have) {
        return PyErr_Format(PyExc_ValueError, "there was no room for %zd bytes", count);
    }
    if (count > 0) {
        filling_took(self, count);
    }
    Py_RETURN_NONE;
}

static PyObject *
Filling_since(Filling *self, PyObject *argument)
{
    Py_ssize_t start = PyLong_AsSsize_t(argument);

    if (start == -1 && PyErr_Occurred()) {
        return NULL;
    }
    if (start < 0 || start > self->have) {
        return PyErr_Format(PyExc_ValueError, "nothing has come from %zd on", start);
    }
    return filling_show(self, start, self->have);
}

/* The memory itself, if it is what is wanted and has no other owner; then this object is empty. */
static PyObject *
filling_hand_over(Filling *self)
{
    PyObject *memory;

    if (filling_resize(self, self->have) < 0) {
        return NULL;
    }
    memory = self->memory;
    self->memory = NULL;
    self->size = self->have = self->shown = self->shown_end = 0;
    return memory;
}

static PyObject *
Filling_value(Filling *self, PyObject *ignored)
{
    (void)ignored;
    if (!filling_is_free(self)) {
        return NULL;
    }
    if (self->have == 0 || self->text) {
        return PyBytes_FromStringAndSize(self->have ? filling_data(self) : NULL, self->have);
    }
    return filling_hand_over(self);
}

static PyObject *
Filling_decode(Filling *self, PyObject *ignored)
{
    (void)ignored;
    if (!filling_is_free(self)) {
        return NULL;
    }
    if (self->have > 0 && self->text && self->ascii) {
        return filling_hand_over(self);
    }
    return PyUnicode_DecodeUTF8(self->have ? filling_data(self) : "", self->have, NULL);
}

static PyObject *
Filling_get_is_ascii(Filling *self, void *ignored)
{
    (void)ignored;
    return PyBool_FromLong(self->ascii);
}

static PyMethodDef Filling_methods[] = {
    {"write", (PyCFunction)Filling_write, METH_O, "write(piece): copy bytes in."},
    {"room", (PyCFunction)Filling_room, METH_O, "room(most): where the next bytes belong."},
    {"took", (PyCFunction)Filling_took, METH_O, "took(count): so many have come into the room."},
    {"since", (PyCFunction)Filling_since, METH_O, "since(start): what has come from there on."},
    {"value", (PyCFunction)Filling_value, METH_NOARGS, "value(): all that has come."},
    {"decode", (PyCFunction)Filling_decode, METH_NOARGS, "decode(): all that has come, as text."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef Filling_attributes[] = {
    {"is_ascii", (getter)Filling_get_is_ascii, NULL, "Whether it is text in ASCII so far.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot Filling_slots[] = {
    {Py_tp_doc, "A payload under way; the docstrings of its Python twin hold."},
    {Py_tp_new, Filling_new},
    {Py_tp_dealloc, Filling_dealloc},
    {Py_tp_methods, Filling_methods},
    {Py_tp_getset, Filling_attributes},
    {Py_bf_getbuffer, Filling_getbuffer},
    {Py_bf_releasebuffer, Filling_releasebuffer},
    {0, NULL},
};

static PyType_Spec Filling_spec = {
    .name = "websocket._wire._speedups.Filling",
    .basicsize = sizeof(Filling),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = Filling_slots,
};

static int
set_up(PyObject *module)
{
#ifdef HAVE_SOCKETS
    State *state = PyModule_GetState(module);
#endif
    PyObject *type = PyType_FromModuleAndSpec(module, &Filling_spec, NULL);
    int failed;

    if (type == NULL) {
        return -1;
    }
    failed = PyModule_AddType(module, (PyTypeObject *)type);
    Py_DECREF(type);
#ifdef HAVE_SOCKETS
    state->fileno = PyUnicode_InternFromString("fileno");
    failed = failed || state->fileno == NULL ? -1 : 0;
#endif
    return failed;
}

static PyMethodDef methods[] = {
    {"mask", (PyCFunction)(void (*)(void))speedups_mask, METH_FASTCALL,
     "mask(key, data): XOR of data with the 4 bytes of key."},
    {"encode_frame", (PyCFunction)(void (*)(void))speedups_encode_frame, METH_FASTCALL,
     "encode_frame(opcode, payload, key, fin=True, rsv=0): one frame on the wire."},
#ifdef HAVE_SOCKETS
    {"send_frame", (PyCFunction)(void (*)(void))speedups_send_frame, METH_FASTCALL,
     "send_frame(stream, socket, opcode, payload, next_key): the length sent, or what was not."},
    {"receive_messages", (PyCFunction)(void (*)(void))speedups_receive_messages, METH_FASTCALL,
     "receive_messages(socket, consumed, truncate, max_size, ahead, wait): whole messages."},
#endif
    {"parse_messages", (PyCFunction)(void (*)(void))speedups_parse_messages, METH_FASTCALL,
     "parse_messages(buffer, position, max_size): whole messages, where they end, their bytes."},
    {"parse_fragments", (PyCFunction)(void (*)(void))speedups_parse_fragments, METH_FASTCALL,
     "parse_fragments(buffer, position, max_size): a run of fragments as one."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, set_up},
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#ifdef Py_mod_gil
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

#ifdef HAVE_SOCKETS
static void
free_state(void *module)
{
    State *state = PyModule_GetState(module);

    if (state != NULL) {
        Py_CLEAR(state->fileno);
        free(state->scratch);
    }
}
#endif

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_speedups",
    .m_doc = "Masking and framing in C.",
#ifdef HAVE_SOCKETS
    .m_size = sizeof(State),
    .m_free = free_state,
#endif
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit__speedups(void)
{
    return PyModuleDef_Init(&definition);
}

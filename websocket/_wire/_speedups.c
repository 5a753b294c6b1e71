/* The accelerator: what of _wire costs time in proportion to its bytes, in C.
 *
 * It has the names and signatures of its Python twins in masking.py and frames.py, whose docstrings
 * say what they do; `websocket.backend()` says which of them runs. There is no state: the module
 * can be loaded in sub-interpreters and without the GIL.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

/* XOR `length` bytes with the key, eight at a time; `memcpy` because nothing is aligned. The plain
 * loop is what compilers turn into vector instructions. */
static void
xor_into(unsigned char *to, const unsigned char *from, Py_ssize_t length,
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

/* Write the header of RFC 6455 5.2 without the key; returns its length, 2, 4 or 10. */
static int
put_header(unsigned char *to, int first, int mask_bit, uint64_t length)
{
    int i;

    to[0] = (unsigned char)first;
    if (length < 126) {
        to[1] = (unsigned char)(mask_bit | (int)length);
        return 2;
    }
    if (length < 65536) {
        to[1] = (unsigned char)(mask_bit | 126);
        to[2] = (unsigned char)(length >> 8);
        to[3] = (unsigned char)length;
        return 4;
    }
    to[1] = (unsigned char)(mask_bit | 127);
    for (i = 0; i < 8; i++) {
        to[2 + i] = (unsigned char)(length >> (56 - 8 * i));
    }
    return 10;
}

static PyObject *
build_frame(int first, const Py_buffer *payload, const unsigned char *key)
{
    unsigned char header[14];
    int size = put_header(header, first, key == NULL ? 0 : 0x80, (uint64_t)payload->len);
    PyObject *frame;
    unsigned char *to;

    if (key != NULL) {
        memcpy(header + size, key, 4);
        size += 4;
    }
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
    if (get_payload(args[1], &payload) < 0) {
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

static PyMethodDef methods[] = {
    {"mask", (PyCFunction)(void (*)(void))speedups_mask, METH_FASTCALL,
     "mask(key, data): XOR of data with the 4 bytes of key."},
    {"encode_frame", (PyCFunction)(void (*)(void))speedups_encode_frame, METH_FASTCALL,
     "encode_frame(opcode, payload, key, fin=True, rsv=0): one frame on the wire."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#ifdef Py_mod_gil
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_speedups",
    .m_doc = "Masking and framing in C.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit__speedups(void)
{
    return PyModuleDef_Init(&definition);
}

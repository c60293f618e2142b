/* HTTP/2 (RFC 9113) as far as truth.c needs it: frames, and the head of an answer. Requests are not decoded: whatever
 * has a body asks for a chat completion. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { H2_DATA = 0, H2_HEADERS = 1, H2_SETTINGS = 4, H2_PING = 6, H2_WINDOW_UPDATE = 8 };
enum { H2_END_STREAM = 1, H2_ACK = 1, H2_END_HEADERS = 4, H2_HEAD = 9, H2_LARGEST = 16384 };

static const char h2_preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

struct h2_frame { uint32_t size, stream; int kind, flags; char *payload; };

/* The frame at the beginning of the data. Returns 1, or 0 if not all of it is there. */
static int h2_frame(char *data, size_t n, struct h2_frame *f)
{
    const unsigned char *p = (unsigned char *)data;
    if (n < H2_HEAD) return 0;
    f->size = p[0] << 16 | p[1] << 8 | p[2], f->kind = p[3], f->flags = p[4];
    f->stream = (p[5] & 127u) << 24 | p[6] << 16 | p[7] << 8 | p[8];
    f->payload = data + H2_HEAD;
    return n >= H2_HEAD + f->size;
}

static size_t h2_head(char *out, int kind, int flags, uint32_t stream, size_t size)
{
    unsigned char head[H2_HEAD] = {size >> 16, size >> 8, size, kind, flags, stream >> 24, stream >> 16, stream >> 8, stream};
    memcpy(out, head, H2_HEAD);
    return H2_HEAD;
}

/* HEADERS of a 200: its status by the static table, its content type as a literal. */
static size_t h2_answer_head(char *out, uint32_t stream, const char *type)
{
    size_t n = strlen(type);
    char *block = out + h2_head(out, H2_HEADERS, H2_END_HEADERS, stream, n + 4);
    block[0] = '\x88', block[1] = '\x0f', block[2] = '\x10', block[3] = n;
    memcpy(block + 4, type, n);
    return H2_HEAD + 4 + n;
}

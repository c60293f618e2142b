/* WebSocket (RFC 6455) as far as truth.c needs it: the answer to an upgrade, and frames. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { SHA1_BYTES = 20, SHA1_BLOCK = 64 };

static uint32_t rotated(uint32_t x, int n)
{
    return x << n | x >> (32 - n);
}

static void sha1_block(uint32_t h[5], const unsigned char *p)
{
    uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)p[4 * i] << 24 | p[4 * i + 1] << 16 | p[4 * i + 2] << 8 | p[4 * i + 3];
    for (int i = 16; i < 80; i++) w[i] = rotated(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (int i = 0; i < 80; i++) {
        uint32_t f = i < 20 ? (b & c) | (~b & d) : i < 40 || i >= 60 ? b ^ c ^ d : (b & c) | (b & d) | (c & d);
        static const uint32_t k[] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
        uint32_t next = rotated(a, 5) + f + e + k[i / 20] + w[i];
        e = d, d = c, c = rotated(b, 30), b = a, a = next;
    }
    h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
}

/* Of at most 119 bytes: key and GUID have 60. */
static void sha1(const char *data, size_t n, unsigned char out[SHA1_BYTES])
{
    uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    unsigned char padded[2 * SHA1_BLOCK] = {0};
    size_t blocks = n + 9 > SHA1_BLOCK ? 2 : 1;
    memcpy(padded, data, n);
    padded[n] = 0x80;
    padded[blocks * SHA1_BLOCK - 2] = n * 8 >> 8, padded[blocks * SHA1_BLOCK - 1] = n * 8;
    for (size_t i = 0; i < blocks; i++) sha1_block(h, padded + i * SHA1_BLOCK);
    for (int i = 0; i < SHA1_BYTES; i++) out[i] = h[i / 4] >> (24 - i % 4 * 8);
}

/* The head of a 101 that fits a Sec-WebSocket-Key of 24 characters. Returns its length. */
static int websocket_accept(const char *key, char *out, size_t room)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char text[64], accept[29];
    unsigned char digest[SHA1_BYTES + 1] = {0};
    snprintf(text, sizeof text, "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    sha1(text, strlen(text), digest);
    for (int i = 0; i < 28; i++) {
        const unsigned char *p = digest + i / 4 * 3;
        uint32_t three = p[0] << 16 | p[1] << 8 | p[2];
        accept[i] = letters[three >> (18 - i % 4 * 6) & 63];
    }
    accept[27] = '=', accept[28] = 0;
    return snprintf(out, room,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
        accept);
}

/* The header of a server's text frame. Returns its length. */
static size_t websocket_header(char out[4], size_t n)
{
    out[0] = '\x81';
    if (n < 126) return out[1] = n, 2;
    out[1] = 126, out[2] = n >> 8, out[3] = n;
    return 4;
}

struct frame { int opcode; char *data; size_t size, whole; };

/* The client's frame at the beginning of the data, unmasked in place. Returns 1, 0 (not all of it is there) or -1. */
static int websocket_frame(char *data, size_t n, size_t limit, struct frame *f)
{
    const unsigned char *p = (unsigned char *)data;
    if (n < 2) return 0;
    size_t size = p[1] & 127, at = 2 + (size == 126 ? 2 : size == 127 ? 8 : 0);
    if (!(p[1] & 128)) return -1;
    if (n < at + 4) return 0;
    if (at > 2) {
        size = 0;
        for (size_t i = 2; i < at; i++) size = size << 8 | p[i];
    }
    if (size > limit) return -1;
    if (n < at + 4 + size) return 0;
    for (size_t i = 0; i < size; i++) data[at + 4 + i] ^= p[at + i % 4];
    *f = (struct frame){.opcode = p[0] & 15, .data = data + at + 4, .size = size, .whole = at + 4 + size};
    return 1;
}

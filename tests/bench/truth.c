/* truth: a chat server whose timing is known, to measure load generators against.
 *
 *     truth PORT TTFT_MS ITL_MS TOKENS        (port 0 takes a free one)
 *
 * OpenAI's chat completions over HTTP/1.1 keep-alive, from one thread, so that it is never the bottleneck:
 *   POST, plain     the answer TTFT_MS after the request's last byte;
 *   POST, streamed  the first chunk after TTFT_MS, one more each ITL_MS, max_tokens (or TOKENS) in all, usage, [DONE];
 *   GET             a list of models at once;
 *   GET, upgraded   WebSocket: a text message for each turn, answered as if streamed, a text message for each chunk;
 *                   at /socket.io/ Socket.IO in the namespace /generic: events instead of bare messages;
 *   HTTP/2          by prior knowledge: the same answers to POST, many at a time on one connection.
 * Chunks and plain answers carry "t": CLOCK_MONOTONIC in ns, taken just before the write.
 *
 * It prints {"port": N} once it listens, and at SIGTERM or SIGINT its own counts, the time from the first request to
 * the last answer, and how late its timers were: a run in which the server itself was late proves nothing.
 *
 * There is no timer heap. A turn waits for TTFT once and then for ITL again and again; each wait begins where the
 * one before was due, and waits are served in the order in which they are due. So deadlines of equal length arise
 * in rising order, and one plain queue for each of the two lengths has its earliest at the head.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "http2.h"
#include "websocket.h"

enum { EVENTS = 1024, LARGEST_REQUEST = 16 << 20, MOST_TOKENS = 100000, PROMPT_TOKENS = 8 };

struct buffer { char *data; size_t used, room; };

struct queue { struct client *head, *tail; };

struct client {
    int fd;
    struct buffer in, out;              /* out: what the socket did not take */
    int websocket, socketio, http2;
    struct client *carrier;             /* of a stream of HTTP/2: its connection, which alone has a socket */
    uint32_t stream;
    int streamed, tokens, sent;         /* the turn being answered */
    struct queue *queue;                /* where it waits, or null: ready for a request */
    struct client *next, *prev;
    int64_t due;
};

static int64_t ttft_ns, itl_ns;
static int default_tokens, poller;
static struct queue first, later;
static struct {
    uint64_t requests, chat_requests, answers, chunks, output_tokens, aborted, timers, late_100us, late_1ms, clients, most_clients;
    int64_t latest_ns, late_sum_ns, began_ns, ended_ns;    /* first chat request, last answer */
} count;

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void count_answer(void)
{
    count.answers++, count.ended_ns = now_ns();
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void append(struct buffer *b, const char *data, size_t n)
{
    if (b->used + n > b->room) {
        b->room = 2 * (b->used + n);
        if (!(b->data = realloc(b->data, b->room))) die("truth: memory");
    }
    if (data) memcpy(b->data + b->used, data, n), b->used += n;
}

static void consume(struct buffer *b, size_t n)
{
    memmove(b->data, b->data + n, b->used -= n);
}

/* ---- waiting ---- */

static void wait_in(struct queue *q, struct client *c, int64_t due)
{
    c->due = due, c->queue = q, c->next = 0, c->prev = q->tail;
    *(q->tail ? &q->tail->next : &q->head) = c;
    q->tail = c;
}

static void leave_queue(struct client *c)
{
    if (!c->queue) return;
    *(c->prev ? &c->prev->next : &c->queue->head) = c->next;
    *(c->next ? &c->next->prev : &c->queue->tail) = c->prev;
    c->queue = 0;
}

static struct client *earliest(void)
{
    if (!first.head || !later.head) return first.head ? first.head : later.head;
    return first.head->due <= later.head->due ? first.head : later.head;
}

/* ---- sending ---- */

static void listen_for(struct client *c, uint32_t events, int how)
{
    struct epoll_event e = {.events = events, .data.ptr = c};
    if (epoll_ctl(poller, how, c->fd, &e)) die("truth: epoll_ctl");
}

static void hang_up(struct client *c)
{
    if (c->http2) {
        struct queue *queues[] = {&first, &later};
        for (int i = 0; i < 2; i++) {
            for (struct client *s = queues[i]->head, *next; s; s = next) {
                next = s->next;
                if (s->carrier == c) leave_queue(s), free(s), count.aborted++;
            }
        }
    }
    count.aborted += c->queue != 0;
    count.clients--;
    leave_queue(c);
    close(c->fd);
    free(c->in.data), free(c->out.data), free(c);
}

/* All of these return 0, or -1 if the client is gone. */
static int transmit(struct client *c, const char *data, size_t n)
{
    ssize_t taken = 0;
    if (!c->out.used) {
        taken = send(c->fd, data, n, MSG_NOSIGNAL);
        if (taken == (ssize_t)n) return 0;
        if (taken < 0 && errno != EAGAIN) return -1;
        taken = taken < 0 ? 0 : taken;
        listen_for(c, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
    }
    append(&c->out, data + taken, n - taken);
    return 0;
}

static int flush(struct client *c)
{
    ssize_t taken = send(c->fd, c->out.data, c->out.used, MSG_NOSIGNAL);
    if (taken < 0) return errno == EAGAIN ? 0 : -1;
    consume(&c->out, taken);
    if (!c->out.used) listen_for(c, EPOLLIN, EPOLL_CTL_MOD);
    return 0;
}

/* A body with headers (status line and types in `head`), or as one piece of a chunked body if `head` is null. */
static int transmit_body(struct client *c, const char *head, const char *body, int n)
{
    char frame[2048];
    const char *format = head ? "%s\r\nContent-Length: %d\r\n\r\n%.*s" : "%.0s%x\r\n%.*s\r\n";
    int size = snprintf(frame, sizeof frame, format, head ? head : "", n, n, body);
    return transmit(c, frame, size);
}

/* A frame of data of a stream; before its first one comes the head of the answer. */
static int transmit_data(struct client *s, const char *type, const char *body, int n, int flags)
{
    char frame[2048];
    size_t at = type ? h2_answer_head(frame, s->stream, type) : 0;
    at += h2_head(frame + at, H2_DATA, flags, s->stream, n);
    memcpy(frame + at, body, n);
    return transmit(s->carrier, frame, at + n);
}

#define JSON_HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/json"
#define STREAM_HEAD \
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n"
#define OBJECT "\"id\":\"chatcmpl-truth\",\"created\":1,\"model\":\"truth\",\"object\":\"chat.completion"
#define NAMESPACE "/generic,"
#define USAGE "\"usage\":{\"prompt_tokens\":%d,\"completion_tokens\":%d,\"total_tokens\":%d}"

static int transmit_message(struct client *c, const char *body, int n)
{
    char frame[1028];
    size_t header = websocket_header(frame, n);
    memcpy(frame + header, body, n);
    return transmit(c, frame, header + n);
}

static int send_plain(struct client *c)
{
    char body[1024];
    int n = snprintf(body, sizeof body,
        "{" OBJECT "\",\"choices\":[{\"index\":0,\"finish_reason\":\"stop\",\"message\":{\"role\":\"assistant\","
        "\"content\":\"What is said here matters less than when.\"}}]," USAGE ",\"t\":%lld}",
        PROMPT_TOKENS, c->tokens, PROMPT_TOKENS + c->tokens, (long long)now_ns());
    count_answer(), count.output_tokens += c->tokens;
    if (c->carrier) return transmit_data(c, "application/json", body, n, H2_END_STREAM);
    return transmit_body(c, JSON_HEAD, body, n);
}

static int send_last(struct client *c)
{
    char body[1024];
    if (c->socketio) {
        int n = snprintf(body, sizeof body,
            "42" NAMESPACE "[\"done\",{\"response\":\"\",\"usage\":{\"input_tokens\":%d,\"output_tokens\":%d}}]",
            PROMPT_TOKENS, c->tokens);
        count_answer();
        return transmit_message(c, body, n);
    }
    if (c->websocket) {
        int n = snprintf(body, sizeof body,
            "{\"response\":\"\",\"usage\":{\"input_tokens\":%d,\"output_tokens\":%d},\"done\":true}",
            PROMPT_TOKENS, c->tokens);
        count_answer();
        return transmit_message(c, body, n);
    }
    int n = snprintf(body, sizeof body,
        "data: {" OBJECT ".chunk\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
        "data: {" OBJECT ".chunk\",\"choices\":[]," USAGE "}\n\ndata: [DONE]\n\n",
        PROMPT_TOKENS, c->tokens, PROMPT_TOKENS + c->tokens);
    count_answer();
    if (c->carrier) return transmit_data(c, 0, body, n, H2_END_STREAM);
    return transmit_body(c, 0, body, n) || transmit(c, "0\r\n\r\n", 5) ? -1 : 0;
}

static int send_chunk(struct client *c)
{
    char body[512];
    if (c->websocket) {
        const char *format = c->socketio ? "42" NAMESPACE "[\"delta\",{\"text\":\"token%d \",\"t\":%lld}]"
                                         : "{\"delta\":\"token%d \",\"t\":%lld}";
        int n = snprintf(body, sizeof body, format, c->sent, (long long)now_ns());
        count.chunks++, count.output_tokens++, c->sent++;
        return transmit_message(c, body, n);
    }
    if (!c->sent && !c->carrier && transmit(c, STREAM_HEAD, sizeof STREAM_HEAD - 1)) return -1;
    int n = snprintf(body, sizeof body,
        "data: {" OBJECT ".chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"token%d \"},"
        "\"finish_reason\":null}],\"t\":%lld}\n\n", c->sent, (long long)now_ns());
    count.chunks++, count.output_tokens++, c->sent++;
    if (c->carrier) return transmit_data(c, c->sent == 1 ? "text/event-stream" : 0, body, n, 0);
    return transmit_body(c, 0, body, n);
}

/* ---- receiving ---- */

/* Where the value of a top-level looking key begins, or null. Inside a JSON string its quotes would be escaped. */
static const char *value_of(const char *body, size_t n, const char *quoted_key)
{
    const char *at = memmem(body, n, quoted_key, strlen(quoted_key)), *end = body + n;
    if (!at) return 0;
    for (at += strlen(quoted_key); at < end && (*at == ':' || *at == ' '); at++);
    return at < end ? at : 0;
}

static void begin_turn(struct client *c, const char *body, size_t n)
{
    const char *streamed = value_of(body, n, "\"stream\""), *limit = value_of(body, n, "\"max_tokens\"");
    if (!limit) limit = value_of(body, n, "\"max_completion_tokens\"");
    int wanted = limit ? atoi(limit) : 0;
    c->streamed = streamed && *streamed == 't';
    c->tokens = wanted > MOST_TOKENS ? MOST_TOKENS : wanted > 0 ? wanted : default_tokens;
    c->sent = 0;
    int64_t now = now_ns();
    if (!count.chat_requests++) count.began_ns = now;
    wait_in(&first, c, now + ttft_ns);
}

/* One message of a client that has upgraded. Returns as `websocket_frame` does. */
static int next_message(struct client *c)
{
    struct frame f;
    int found = websocket_frame(c->in.data, c->in.used, LARGEST_REQUEST, &f);
    if (found <= 0) return found;
    if (f.opcode == 8) return -1;                       /* the client says goodbye */
    if (c->socketio && f.size >= 2 && !memcmp(f.data, "40", 2)) {
        static const char connected[] = "40" NAMESPACE "{\"sid\":\"truth\"}";
        if (transmit_message(c, connected, sizeof connected - 1)) return -1;
    } else if (c->socketio ? f.size >= 2 && !memcmp(f.data, "42", 2) : f.opcode == 1 || f.opcode == 2) {
        count.requests++;
        begin_turn(c, f.data, f.size);
        c->streamed = 1;
    }
    consume(&c->in, f.whole);
    return 1;
}

/* One frame of a client that speaks HTTP/2. A request's body is one frame. */
static int next_frame(struct client *c)
{
    struct h2_frame f = {0};
    char reply[2 * H2_HEAD + 8];
    if (!h2_frame(c->in.data, c->in.used, &f)) return f.size > LARGEST_REQUEST ? -1 : 0;
    size_t n = 0;
    if ((f.kind == H2_SETTINGS || f.kind == H2_PING) && !(f.flags & H2_ACK)) {
        size_t size = f.kind == H2_PING ? 8 : 0;
        n = h2_head(reply, f.kind, H2_ACK, 0, size);
        memcpy(reply + n, f.payload, size), n += size;
    } else if (f.kind == H2_DATA && f.flags & H2_END_STREAM) {
        struct client *s = calloc(1, sizeof *s);
        if (!s) die("truth: memory");
        s->fd = -1, s->carrier = c, s->stream = f.stream;
        count.requests++;
        begin_turn(s, f.payload, f.size);
    }
    if (f.kind == H2_DATA && f.size) {                  /* the connection's window is as wide as before */
        n = h2_head(reply, H2_WINDOW_UPDATE, 0, 0, 4);
        uint32_t size = htonl(f.size);
        memcpy(reply + n, &size, 4), n += 4;
    }
    if (n && transmit(c, reply, n)) return -1;
    consume(&c->in, H2_HEAD + f.size);
    return 1;
}

static int begin_http2(struct client *c)
{
    char settings[H2_HEAD];
    if (c->in.used < sizeof h2_preface - 1) return 0;
    c->http2 = 1;
    consume(&c->in, sizeof h2_preface - 1);
    return transmit(c, settings, h2_head(settings, H2_SETTINGS, 0, 0, 0)) ? -1 : 1;
}

static int upgrade(struct client *c, const char *key)
{
    static const char opened[] =
        "0{\"sid\":\"truth\",\"upgrades\":[],\"pingInterval\":3600000,\"pingTimeout\":3600000,\"maxPayload\":1000000}";
    char head[256];
    c->websocket = 1;
    c->socketio = !strncmp(c->in.data, "GET /socket.io/", 15);
    if (transmit(c, head, websocket_accept(key, head, sizeof head))) return -1;
    return c->socketio ? transmit_message(c, opened, sizeof opened - 1) : 0;
}

/* Takes the next whole request from the input, if the client is not waiting for an answer already. */
static int next_request(struct client *c)
{
    while (!c->queue && c->in.used) {
        int speaks_http2 = c->http2 || (!c->websocket && !memcmp(c->in.data, h2_preface, c->in.used < 8 ? c->in.used : 8));
        if (c->websocket || speaks_http2) {
            int found = c->websocket ? next_message(c) : c->http2 ? next_frame(c) : begin_http2(c);
            if (found <= 0) return found;
            continue;
        }
        append(&c->in, "", 1), c->in.used--;            /* a terminator behind the data, for the string functions */
        char *end = strstr(c->in.data, "\r\n\r\n");
        if (!end) return c->in.used > LARGEST_REQUEST ? -1 : 0;
        end += 4;
        char *length = strcasestr(c->in.data, "\r\ncontent-length:");
        size_t head = end - c->in.data, body = length && length < end ? strtoul(length + 17, 0, 10) : 0;
        if (body > LARGEST_REQUEST) return -1;
        if (c->in.used < head + body) return 0;
        char *key = strcasestr(c->in.data, "\r\nsec-websocket-key: ");
        if (key && key < end) {
            if (upgrade(c, key + 21)) return -1;
            consume(&c->in, head);
            continue;
        }
        count.requests++;
        if (!strncmp(c->in.data, "POST", 4)) {
            begin_turn(c, end, body);
        } else {
            static const char models[] = "{\"object\":\"list\",\"data\":[{\"id\":\"truth\",\"object\":\"model\"}]}";
            if (transmit_body(c, JSON_HEAD, models, sizeof models - 1)) return -1;
        }
        consume(&c->in, head + body);
    }
    return 0;
}

static int receive(struct client *c)
{
    for (;;) {
        append(&c->in, 0, 16384);                       /* makes room */
        size_t room = c->in.room - c->in.used - 1;
        ssize_t got = recv(c->fd, c->in.data + c->in.used, room, 0);
        if (got <= 0) return got < 0 && errno == EAGAIN ? 0 : -1;
        c->in.used += got;
        if (next_request(c)) return -1;
        if ((size_t)got < room) return 0;
    }
}

/* ---- the loop ---- */

static void serve_due(void)
{
    struct client *c;
    int64_t now;
    while ((c = earliest()) && c->due <= (now = now_ns())) {
        int64_t late = now - c->due;
        count.timers++, count.late_sum_ns += late;
        count.late_100us += late > 100000, count.late_1ms += late > 1000000;
        if (late > count.latest_ns) count.latest_ns = late;
        leave_queue(c);
        int gone = c->streamed ? send_chunk(c) : send_plain(c);
        if (!gone && c->streamed) {
            if (c->sent < c->tokens) wait_in(&later, c, c->due + itl_ns);
            else gone = send_last(c);
        }
        if (c->carrier) {
            if (gone) hang_up(c->carrier);
            if (!c->queue) free(c);
        } else if (gone || next_request(c)) {
            hang_up(c);
        }
    }
}

static void accept_all(int listener)
{
    int fd, on = 1;
    while ((fd = accept4(listener, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct client *c = calloc(1, sizeof *c);
        if (!c) die("truth: memory");
        c->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        listen_for(c, EPOLLIN, EPOLL_CTL_ADD);
        if (++count.clients > count.most_clients) count.most_clients = count.clients;
    }
}

static int open_listener(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (void *)&at, size) || listen(fd, 65535) || getsockname(fd, (void *)&at, &size)) die("truth: listen");
    printf("{\"port\": %d}\n", ntohs(at.sin_port));
    fflush(stdout);
    return fd;
}

static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set), sigaddset(&set, SIGTERM), sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);                   /* whoever started it may be killed: no orphans */
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static void run(struct client *listener, struct client *signals)
{
    struct epoll_event ready[EVENTS];
    for (;;) {
        struct client *next = earliest();
        int64_t left = next ? next->due - now_ns() : 0;
        left = left > 0 ? left : 0;
        struct timespec timeout = {left / 1000000000, left % 1000000000};
        int n = epoll_pwait2(poller, ready, EVENTS, next ? &timeout : 0, 0);
        /* One client has one event in a batch and timers come after it, so that none is freed under our hands. */
        for (int i = 0; i < n; i++) {
            struct client *c = ready[i].data.ptr;
            if (c == signals) return;
            if (c == listener) accept_all(listener->fd);
            else if ((ready[i].events & EPOLLOUT && flush(c)) || (ready[i].events & ~EPOLLOUT && receive(c))) hang_up(c);
        }
        serve_due();
    }
}

static void report(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double cpu = used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    printf("{\"requests\": %lu, \"chat_requests\": %lu, \"answers\": %lu, \"aborted\": %lu, \"chunks\": %lu, \"output_tokens\": %lu, "
           "\"most_clients\": %lu, \"timers\": %lu, \"late_mean_us\": %.1f, \"late_over_100us\": %lu, "
           "\"late_over_1ms\": %lu, \"late_max_us\": %.1f, \"span_s\": %.6f, \"cpu_s\": %.3f}\n",
           count.requests, count.chat_requests, count.answers, count.aborted, count.chunks, count.output_tokens, count.most_clients,
           count.timers, count.timers ? count.late_sum_ns / 1e3 / count.timers : 0, count.late_100us, count.late_1ms,
           count.latest_ns / 1e3, (count.ended_ns - count.began_ns) / 1e9, cpu);
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: truth PORT TTFT_MS ITL_MS TOKENS\n");
        return 2;
    }
    ttft_ns = atof(argv[2]) * 1e6, itl_ns = atof(argv[3]) * 1e6, default_tokens = atoi(argv[4]);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    prctl(PR_SET_TIMERSLACK, 1);                        /* ns; by default timers may be 50 us late */
    poller = epoll_create1(EPOLL_CLOEXEC);
    struct client signals = {.fd = open_signals()}, listener = {.fd = open_listener(atoi(argv[1]))};
    listen_for(&signals, EPOLLIN, EPOLL_CTL_ADD);
    listen_for(&listener, EPOLLIN, EPOLL_CTL_ADD);
    run(&listener, &signals);
    report();
    return 0;
}

/* pace: HTTP/1.1 requests over keep-alive connections, at a constant rate or as fast as they are answered.
 *
 * usage: pace HOST PORT CONNECTIONS COUNT RATE FILE...
 *
 * Sends COUNT requests, whose bytes are those of the FILEs in turn. With a RATE (requests a second) each has a moment at
 * which it is due, whatever became of those before it; one that finds its connection busy waits, and its waiting counts:
 * latency is from the moment when a request was due to the last byte of its answer. So a server that stalls is charged
 * for every request that would have come meanwhile (no coordinated omission). With a RATE of 0 each connection sends its
 * next request when it has its answer.
 *
 * Every answer must be a 200 with a Content-Length. Prints one JSON object: times in microseconds. "late" is by how much
 * the generator itself was behind when it looked for what was due: the floor of what it can tell apart.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { MAX_REQUESTS = 16, BUFFER = 65536 };

struct request {
    char *bytes;
    size_t length;
};

struct connection {
    int descriptor;
    bool is_busy;
    int64_t due;      /* of the request that is under way */
    int64_t next;     /* number of the next request of this connection: connections take them in turn */
    size_t have;      /* bytes in `buffer` */
    char buffer[BUFFER];
};

static struct request requests[MAX_REQUESTS];
static int request_count;
static struct connection *connections;
static int64_t connection_count, count, rate, start;
static uint32_t *latencies, *lateness;
static int64_t answered, sent;

static void fail(const char *what)
{
    fprintf(stderr, "pace: %s: %s\n", what, errno ? strerror(errno) : "");
    exit(1);
}

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static int64_t due(int64_t number)
{
    return start + (int64_t)((double)number * 1e9 / (double)rate);
}

static uint32_t microseconds(int64_t nanoseconds)
{
    return nanoseconds < 0 ? 0 : (uint32_t)(nanoseconds / 1000);
}

static void load(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) fail(path);
    char *bytes = malloc(BUFFER);
    if (!bytes) fail("memory");
    struct request request = {bytes, fread(bytes, 1, BUFFER, file)};
    fclose(file);
    if (request_count == MAX_REQUESTS || request.length == 0) fail(path);
    requests[request_count++] = request;
}

static int dial(const char *host, const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) fail(host);
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0 || connect(descriptor, (struct sockaddr *)&address, sizeof address) < 0) fail("connect");
    int yes = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (fcntl(descriptor, F_SETFL, O_NONBLOCK) < 0) fail("fcntl");
    return descriptor;
}

/* Sends what this connection has next, if that is due. */
static void send_next(struct connection *connection, int64_t moment)
{
    if (connection->is_busy || connection->next >= count) return;
    int64_t when = rate ? due(connection->next) : moment;
    if (when > moment) return;
    const struct request *request = &requests[connection->next % request_count];
    /* A request is far smaller than the socket's buffer, which is empty. */
    if (write(connection->descriptor, request->bytes, request->length) != (ssize_t)request->length) fail("write");
    lateness[sent++] = microseconds(moment - when);
    connection->is_busy = true;
    connection->due = when;
    connection->next += connection_count;
}

/* Bytes of the answer at the start of the buffer; 0 while it is not whole. */
static size_t answer_length(struct connection *connection)
{
    connection->buffer[connection->have] = 0;
    char *end = strstr(connection->buffer, "\r\n\r\n");
    if (!end) return 0;
    errno = 0;
    if (strncmp(connection->buffer, "HTTP/1.1 200", 12) != 0) {
        fprintf(stderr, "pace: %.*s\n", (int)(end - connection->buffer), connection->buffer);
        fail("an answer is no 200");
    }
    for (char *line = strstr(connection->buffer, "\r\n"); line < end; line = strstr(line + 2, "\r\n"))
        if (strncasecmp(line + 2, "Content-Length:", 15) == 0)
            return (size_t)(end + 4 - connection->buffer) + strtoul(line + 17, NULL, 10);
    fail("an answer has no Content-Length");
    return 0;
}

static void receive(struct connection *connection)
{
    ssize_t got = read(connection->descriptor, connection->buffer + connection->have, BUFFER - 1 - connection->have);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) fail("a connection was closed");
    connection->have += (size_t)got;
    size_t length = answer_length(connection);
    if (length == 0 || connection->have < length) return;
    if (connection->have > length || !connection->is_busy) fail("more came than an answer");
    int64_t moment = now();
    latencies[answered++] = microseconds(moment - connection->due);
    connection->have = 0;
    connection->is_busy = false;
    send_next(connection, moment);
}

static int compare(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return left < right ? -1 : left > right;
}

static uint32_t within(const uint32_t *sorted, double share)
{
    int64_t index = (int64_t)((double)count * share);
    return sorted[index < count ? index : count - 1];
}

static void set_timer(int timer)
{
    int64_t next = -1;
    for (int64_t index = 0; index < connection_count; index++) {
        struct connection *connection = &connections[index];
        if (connection->is_busy || connection->next >= count) continue;
        int64_t when = due(connection->next);
        if (next < 0 || when < next) next = when;
    }
    if (next < 0) return;
    struct itimerspec time = {.it_value = {next / 1000000000, next % 1000000000}};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &time, NULL);
}

int main(int argc, char **argv)
{
    if (argc < 7) {
        fprintf(stderr, "usage: pace HOST PORT CONNECTIONS COUNT RATE FILE...\n");
        return 2;
    }
    connection_count = atoll(argv[3]);
    count = atoll(argv[4]);
    rate = atoll(argv[5]);
    if (connection_count < 1 || count < 1 || rate < 0) fail("bad number");
    for (int index = 6; index < argc; index++) load(argv[index]);
    connections = calloc((size_t)connection_count, sizeof *connections);
    latencies = calloc((size_t)count, sizeof *latencies);
    lateness = calloc((size_t)count, sizeof *lateness);
    if (!connections || !latencies || !lateness) fail("memory");
    prctl(PR_SET_TIMERSLACK, 1);

    int poll = epoll_create1(EPOLL_CLOEXEC), timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (poll < 0 || timer < 0) fail("epoll");
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(poll, EPOLL_CTL_ADD, timer, &event);
    for (int64_t index = 0; index < connection_count; index++) {
        struct connection *connection = &connections[index];
        connection->descriptor = dial(argv[1], argv[2]);
        connection->next = index;
        event.data.ptr = connection;
        epoll_ctl(poll, EPOLL_CTL_ADD, connection->descriptor, &event);
    }

    start = now() + (rate ? 1000000 : 0);
    while (answered < count) {
        int64_t moment = now();
        for (int64_t index = 0; index < connection_count; index++) send_next(&connections[index], moment);
        if (rate) set_timer(timer);
        struct epoll_event events[64];
        int ready = epoll_wait(poll, events, 64, 10000);
        errno = ready < 0 ? errno : 0;
        if (ready < 0 && errno != EINTR) fail("epoll_wait");
        if (ready == 0) fail("no answer within 10 s");
        for (int index = 0; index < ready; index++) {
            uint64_t expirations;
            if (events[index].data.ptr) receive(events[index].data.ptr);
            else if (read(timer, &expirations, sizeof expirations) < 0 && errno != EAGAIN) fail("timer");
        }
    }
    double seconds = (double)(now() - start) / 1e9;

    double sum = 0;
    for (int64_t index = 0; index < count; index++) sum += latencies[index];
    qsort(latencies, (size_t)count, sizeof *latencies, compare);
    qsort(lateness, (size_t)count, sizeof *lateness, compare);
    printf("{\"requests\":%lld,\"seconds\":%.6f,\"mean\":%.1f,\"p50\":%u,\"p90\":%u,\"p99\":%u,\"p999\":%u,\"max\":%u,"
           "\"late\":{\"p50\":%u,\"p99\":%u}}\n",
           (long long)count, seconds, sum / (double)count, within(latencies, 0.5), within(latencies, 0.9),
           within(latencies, 0.99), within(latencies, 0.999), latencies[count - 1], within(lateness, 0.5),
           within(lateness, 0.99));
    return 0;
}

// A load generator for unary gRPC over HTTP/2 without TLS: one thread, epoll, libnghttp2.
//
//   load --port N --path /pkg.Service/Method --requests FILE --connections C --streams M --seconds S
//        [--warm S] [--rate R] [--answers FILE]
//
// FILE holds requests, each a little-endian uint32 length and a protobuf message; they are sent in turn, so that no
// cache of the server answers for it. Without --rate, C × M calls are under way all the time (closed loop). With it, R
// calls a second begin at even distances, however slow the server is, and a call's latency counts from when it should
// have begun (open loop): a server that stalls can't hide the calls that would have come meanwhile.
//
// --answers writes the first answer to each request: uint32 number of the request, uint32 length, bytes.
// One JSON object goes to standard output.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <string>
#include <vector>

namespace {

double now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

[[noreturn]] void fail(const std::string &what) {
  fprintf(stderr, "load: %s\n", what.c_str());
  exit(1);
}

struct Options {
  int port = 0, connections = 1, streams = 1;
  double seconds = 5, warm = 1, rate = 0;
  std::string path, requests, answers;
};

struct Call {
  double since;
  size_t request, sent = 0;
  std::string answer;
  bool ok = false;
};

struct Connection {
  int fd = -1;
  nghttp2_session *session = nullptr;
  std::string out;
  size_t written = 0;
  int under_way = 0;
  bool waits_to_write = false;
};

Options options;
std::vector<std::string> requests;
std::vector<bool> answered;
FILE *answers = nullptr;
size_t next_request = 0;
double begins, ends;
long errors = 0;
size_t answer_bytes = 0;
std::vector<float> latencies;
std::vector<Connection *> connections;
int poll_fd;

ssize_t read_request(nghttp2_session *, int32_t, uint8_t *buffer, size_t length, uint32_t *flags,
                     nghttp2_data_source *source, void *) {
  Call *call = static_cast<Call *>(source->ptr);
  const std::string &body = requests[call->request];
  size_t count = std::min(length, body.size() - call->sent);
  memcpy(buffer, body.data() + call->sent, count);
  call->sent += count;
  if (call->sent == body.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
  return count;
}

void begin_call(Connection *connection, double since) {
  Call *call = new Call{since, next_request++ % requests.size()};
  static const auto header = [](const char *name, const std::string &value) {
    return nghttp2_nv{(uint8_t *)name, (uint8_t *)value.data(), strlen(name), value.size(), NGHTTP2_NV_FLAG_NONE};
  };
  static const std::string post = "POST", http = "http", host = "127.0.0.1", trailers = "trailers",
                           grpc = "application/grpc", agent = "load/1";
  nghttp2_nv headers[] = {header(":method", post),  header(":scheme", http),        header(":path", options.path),
                          header(":authority", host), header("te", trailers), header("content-type", grpc),
                          header("user-agent", agent)};
  nghttp2_data_provider provider;
  provider.source.ptr = call;
  provider.read_callback = read_request;
  if (nghttp2_submit_request(connection->session, nullptr, headers, 7, &provider, call) < 0) fail("can't submit");
  connection->under_way++;
}

int on_data(nghttp2_session *session, uint8_t, int32_t stream, const uint8_t *data, size_t length, void *) {
  if (Call *call = static_cast<Call *>(nghttp2_session_get_stream_user_data(session, stream)))
    call->answer.append((const char *)data, length);
  return 0;
}

int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_length,
              const uint8_t *value, size_t value_length, uint8_t, void *) {
  if (name_length == 11 && !memcmp(name, "grpc-status", 11))
    if (Call *call = static_cast<Call *>(nghttp2_session_get_stream_user_data(session, frame->hd.stream_id)))
      call->ok = value_length == 1 && value[0] == '0';
  return 0;
}

int on_close(nghttp2_session *session, int32_t stream, uint32_t, void *user) {
  Connection *connection = static_cast<Connection *>(user);
  Call *call = static_cast<Call *>(nghttp2_session_get_stream_user_data(session, stream));
  if (!call) return 0;
  double at = now();
  connection->under_way--;
  if (call->since >= begins && call->since < ends) {
    if (!call->ok || call->answer.size() < 5) {
      errors++;
    } else {
      latencies.push_back(at - call->since);
      answer_bytes += call->answer.size();
    }
  }
  if (answers && call->ok && !answered[call->request]) {
    answered[call->request] = true;
    uint32_t head[] = {(uint32_t)call->request, (uint32_t)(call->answer.size() - 5)};
    fwrite(head, sizeof head, 1, answers);
    fwrite(call->answer.data() + 5, head[1], 1, answers);
  }
  delete call;
  if (!options.rate && at < ends) begin_call(connection, at);
  return 0;
}

void watch(Connection *connection, bool writing, int operation) {
  epoll_event event{};
  event.events = EPOLLIN | (writing ? EPOLLOUT : 0u);
  event.data.ptr = connection;
  epoll_ctl(poll_fd, operation, connection->fd, &event);
  connection->waits_to_write = writing;
}

void flush(Connection *connection) {
  for (;;) {
    const uint8_t *data;
    ssize_t count;
    while (connection->out.size() - connection->written < (256u << 10) &&
           (count = nghttp2_session_mem_send(connection->session, &data)) > 0)
      connection->out.append((const char *)data, count);
    if (connection->written == connection->out.size()) {
      connection->out.clear();
      connection->written = 0;
      if (connection->waits_to_write) watch(connection, false, EPOLL_CTL_MOD);
      return;
    }
    count = send(connection->fd, connection->out.data() + connection->written,
                 connection->out.size() - connection->written, MSG_NOSIGNAL);
    if (count < 0) {
      if (errno != EAGAIN) fail(std::string("send: ") + strerror(errno));
      if (!connection->waits_to_write) watch(connection, true, EPOLL_CTL_MOD);
      return;
    }
    connection->written += count;
  }
}

void connect_all() {
  nghttp2_session_callbacks *callbacks;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
  for (int i = 0; i < options.connections; i++) {
    Connection *made = new Connection;
    made->fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(options.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(made->fd, (sockaddr *)&address, sizeof address)) fail(std::string("connect: ") + strerror(errno));
    int one = 1;
    setsockopt(made->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(made->fd, F_SETFL, O_NONBLOCK);
    nghttp2_session_client_new(&made->session, callbacks, made);
    nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 16 << 20},
                                         {NGHTTP2_SETTINGS_ENABLE_PUSH, 0}};
    nghttp2_submit_settings(made->session, 0, settings, 2);
    nghttp2_session_set_local_window_size(made->session, 0, 0, 1 << 30);
    watch(made, false, EPOLL_CTL_ADD);
    connections.push_back(made);
  }
  nghttp2_session_callbacks_del(callbacks);
}

void read_from(Connection *connection) {
  static uint8_t buffer[256 << 10];
  ssize_t count = recv(connection->fd, buffer, sizeof buffer, 0);
  if (count < 0 && errno == EAGAIN) return;
  if (count <= 0) fail("the server closed a connection");
  ssize_t taken = nghttp2_session_mem_recv(connection->session, buffer, count);
  if (taken < 0) fail(std::string("HTTP/2: ") + nghttp2_strerror(taken));
}

void run() {
  double started = now();
  begins = started + options.warm;
  ends = begins + options.seconds;
  long due = 0;  // open loop: calls that have begun
  if (!options.rate)
    for (Connection *connection : connections)
      for (int stream = 0; stream < options.streams; stream++) begin_call(connection, now());
  for (Connection *connection : connections) flush(connection);
  for (;;) {
    double at = now();
    timespec timeout{0, 100'000'000};
    if (options.rate && at < ends) {
      for (double begin; (begin = started + due / options.rate) <= at; due++) {
        Connection *connection = connections[due % connections.size()];
        begin_call(connection, begin);
        flush(connection);
      }
      // To the microsecond, asleep: a generator that spins takes a processor from the server.
      double wait = std::max(started + due / options.rate - now(), 0.0);
      timeout = {(time_t)wait, (long)(std::fmod(wait, 1.0) * 1e9)};
    }
    int under_way = 0;
    for (Connection *connection : connections) under_way += connection->under_way;
    if ((at >= ends && !under_way) || at > ends + 10) return;
    epoll_event events[256];
    int count = epoll_pwait2(poll_fd, events, 256, &timeout, nullptr);
    for (int i = 0; i < count; i++) {
      Connection *connection = static_cast<Connection *>(events[i].data.ptr);
      if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) read_from(connection);
      flush(connection);
    }
  }
}

void read_requests() {
  FILE *file = fopen(options.requests.c_str(), "rb");
  if (!file) fail("can't read " + options.requests);
  uint32_t length;
  while (fread(&length, 4, 1, file) == 1) {
    std::string body(5 + length, '\0');
    for (int i = 0; i < 4; i++) body[1 + i] = (char)(length >> (24 - 8 * i));
    if (fread(&body[5], 1, length, file) != length) fail(options.requests + " ends in the middle of a request");
    requests.push_back(body);
  }
  fclose(file);
  if (requests.empty()) fail(options.requests + " holds no request");
  answered.resize(requests.size());
}

void parse(int count, char **words) {
  std::map<std::string, std::string> given;
  for (int i = 1; i + 1 < count; i += 2) given[words[i]] = words[i + 1];
  auto take = [&](const char *name, auto set) {
    auto found = given.find(name);
    if (found != given.end()) set(found->second), given.erase(found);
  };
  take("--port", [](auto &v) { options.port = std::stoi(v); });
  take("--path", [](auto &v) { options.path = v; });
  take("--requests", [](auto &v) { options.requests = v; });
  take("--connections", [](auto &v) { options.connections = std::stoi(v); });
  take("--streams", [](auto &v) { options.streams = std::stoi(v); });
  take("--seconds", [](auto &v) { options.seconds = std::stod(v); });
  take("--warm", [](auto &v) { options.warm = std::stod(v); });
  take("--rate", [](auto &v) { options.rate = std::stod(v); });
  take("--answers", [](auto &v) { options.answers = v; });
  if (!given.empty() || count % 2 == 0) fail("unknown option, or one without a value");
  if (!options.port || options.path.empty() || options.requests.empty()) fail("--port, --path and --requests are needed");
}

double at_share(double share) {
  return latencies.empty() ? 0 : latencies[std::min(latencies.size() - 1, (size_t)(latencies.size() * share))] * 1e3;
}

}  // namespace

int main(int count, char **words) {
  parse(count, words);
  read_requests();
  if (!options.answers.empty() && !(answers = fopen(options.answers.c_str(), "wb"))) fail("can't write the answers");
  poll_fd = epoll_create1(0);
  connect_all();
  run();
  if (answers) fclose(answers);
  std::sort(latencies.begin(), latencies.end());
  rusage used;
  getrusage(RUSAGE_SELF, &used);
  double cpu = used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e-6;
  printf("{\"calls_per_second\": %.1f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"p999_ms\": %.3f, \"max_ms\": %.3f, "
         "\"calls\": %zu, \"errors\": %ld, \"bytes_per_answer\": %zu, \"generator_cpu\": %.3f}\n",
         latencies.size() / options.seconds, at_share(0.5), at_share(0.99), at_share(0.999), at_share(1.0),
         latencies.size(), errors, latencies.empty() ? 0 : answer_bytes / latencies.size(),
         cpu / (options.seconds + options.warm));
  return errors ? 2 : 0;
}

// One io_context, one thread: requests are answered one after the other, which is what keeps the load that operators
// put on the shards bounded; streams are answered a chunk at a time in between. The only file that sees Beast.
// Who says nothing, or says it slowly, holds a connection only until somebody else wants it; who reads nothing, one chunk for a minute.
#include "rr/control/server.hpp"

#include <fmt/format.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <algorithm>
#include <list>
#include <optional>
#include <thread>

#include "rr/base/log.hpp"
#include "rr/base/log_pace.hpp"
#include "rr/control/json_text.hpp"
#include "rr/control/socket_file.hpp"

namespace helio::control {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using Socket = asio::generic::stream_protocol::socket;  // Unix or TCP
using Clock = std::chrono::steady_clock;
constexpr auto kLeaving = std::chrono::seconds(2);
constexpr std::size_t kMostThrownAway = 1 << 20;

// The answer is for who can take it at once.
void say_crowded(int fd, std::string message, std::string hint) {
  std::string text = to_text(problem_json({503, "crowded", std::move(message), std::move(hint)})) + "\n";
  text = fmt::format("HTTP/1.1 503 Service Unavailable\r\nServer: heliograph\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}", text.size(), text);
  (void)!::send(fd, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

}  // namespace

struct Server::Impl {
  // One client: read a request, answer it, again. Lives in `connections_` from accept to close.
  class Connection {
   public:
    Connection(Impl& server, Socket socket, bool over_tcp) : server_(server), socket_(std::move(socket)), over_tcp_(over_tcp), deadline_(server.io_) {
      if (!over_tcp_) access_ = access_of_socket(server_.options_.access, socket_.native_handle());
    }
    bool over_tcp() const { return over_tcp_; }
    bool has_been_closed() const { return phase_ == Phase::closed; }
    // Since when it has been owing a request, or has had its refusal; nothing: it is being answered.
    std::optional<Clock::time_point> waiting_since() const {
      return phase_ == Phase::request || phase_ == Phase::leaving ? std::optional(since_) : std::nullopt;
    }

    void read() {
      enter(Phase::request);
      parser_.emplace();
      parser_->header_limit(static_cast<std::uint32_t>(server_.options_.max_header_bytes));
      parser_->body_limit(server_.options_.max_body_bytes);
      arm();
      http::async_read(socket_, buffer_, *parser_, [this](error_code error, std::size_t) { on_read(error); });
    }
    // Somebody else needs the place.
    void crowd_out() {
      if (phase_ == Phase::request) {
        server_.note(server_.api_.refused().crowded, over_tcp_, "it had sent no whole request when all connections were taken");
        say_crowded(socket_.native_handle(), "too many connections: yours had sent no whole request", "send the request at once");
      }
      enter(Phase::closed);
      close();
    }
    void close() {
      error_code ignored;
      deadline_.cancel();
      socket_.close(ignored);
    }
    std::list<Connection>::iterator self;

   private:
    enum class Phase : std::uint8_t { request, answer, leaving, closed };
    void enter(Phase phase) {
      phase_ = phase;
      since_ = Clock::now();
    }
    void on_read(error_code error) {
      if (phase_ == Phase::closed) return server_.remove(*this);
      enter(Phase::answer);
      AccessCounters& refused = server_.api_.refused();
      if (error == asio::error::operation_aborted && is_late_) {
        server_.note(refused.too_slow, over_tcp_, "it did not end in time");
        return refuse(408, "too_slow", "the request did not end in time", fmt::format("within {} s", server_.options_.idle_timeout.count()));
      }
      if (error == http::error::body_limit) {
        server_.note(refused.too_large, over_tcp_, "its body is too large");
        return refuse(413, "body_too_large", "the body is too large", "at most 64 KiB");
      }
      if (error == http::error::header_limit || error == http::error::buffer_overflow) {
        server_.note(refused.too_large, over_tcp_, "its header is too large");
        return refuse(431, "header_too_large", "the request's header is too large", "at most 8 KiB");
      }
      // What the parser cannot understand is answered; a connection that ended or timed out is not.
      if (error && error.category() == http::make_error_code(http::error::bad_version).category() &&
          error != http::error::end_of_stream && error != http::error::partial_message) {
        server_.note(refused.malformed, over_tcp_, "it is not HTTP/1.1");
        return refuse(400, "bad_request", "not an HTTP/1.1 request", "curl --unix-socket SOCKET http://localhost/v1/summary");
      }
      if (error) return server_.remove(*this);
      const auto& request = parser_->get();
      auto view = [](auto text) { return std::string_view(text.data(), text.size()); };
      const AccessRules& rules = server_.options_.access;
      if (over_tcp_) access_ = access_of_token(rules, view(request[http::field::authorization]));
      std::string hint = access_ == Access::reader ? how_to_change(rules, over_tcp_) : std::string();
      ApiResponse answer = server_.api_.handle({view(request.method_string()), view(request.target()), request.body(), access_, hint});
      if (answer.status == 401) server_.pace("it has no token that is known", over_tcp_);
      if (answer.stream) stream(std::move(answer));
      else write(answer, parser_->keep_alive() && answer.status != 401);
    }
    void refuse(unsigned status, std::string word, std::string message, std::string hint) {
      ApiProblem problem{status, std::move(word), std::move(message), std::move(hint)};
      ApiResponse answer;
      answer.status = status;
      answer.body = to_text(problem_json(problem)) + "\n";
      leaves_unread_ = true;
      write(answer, false);
    }
    void write(ApiResponse& answer, bool keep_alive) {
      response_ = {};
      response_.version(11);
      response_.result(answer.status);
      response_.set(http::field::server, "heliograph");
      response_.set(http::field::content_type, answer.content_type);
      if (!answer.cursor.empty()) response_.set("heliograph-cursor", answer.cursor);
      if (answer.status == 401) response_.set(http::field::www_authenticate, "Bearer");
      if (!answer.allow.empty()) response_.set(http::field::allow, answer.allow);
      response_.keep_alive(keep_alive);
      response_.body() = std::move(answer.body);
      response_.prepare_payload();
      // RFC 9110 §9.3.2: "The server MUST NOT send content in the response" to HEAD.
      if (parser_->get().method() == http::verb::head) response_.body().clear();
      arm();
      http::async_write(socket_, response_, [this](error_code error, std::size_t) {
        if (!error && leaves_unread_) return leave();
        if (error || !response_.keep_alive()) return server_.remove(*this);
        read();
      });
    }
    // RFC 9112 §9.6: closed with octets unread, TCP would reset the connection and take the answer away from the client. So it
    // is read on for a moment, and nothing is made of it.
    void leave() {
      enter(Phase::leaving);
      error_code ignored;
      socket_.shutdown(Socket::shutdown_send, ignored);
      deadline_.expires_after(kLeaving);
      deadline_.async_wait([this](error_code error) {
        if (!error) close();
      });
      chunk_.resize(16 << 10);
      throw_away();
    }
    void throw_away() {
      socket_.async_read_some(asio::buffer(chunk_), [this](error_code error, std::size_t size) {
        thrown_away_ += size;
        if (error || thrown_away_ > kMostThrownAway) return server_.remove(*this);
        throw_away();
      });
    }
    // A stream is chunked (RFC 9112 §7.1), a chunk at a time: the next one is made when the socket has taken the last, so a
    // slow client holds one chunk and nothing else. It is the last thing on its connection.
    void stream(ApiResponse&& answer) {
      stream_ = std::move(answer.stream);
      head_ = {};
      head_.version(11);
      head_.result(answer.status);
      head_.set(http::field::server, "heliograph");
      head_.set(http::field::content_type, "application/x-ndjson");
      head_.keep_alive(false);
      // RFC 9112 §6.1: no transfer coding for HTTP/1.0; there the end of the connection ends the stream.
      is_chunked_ = parser_->get().version() >= 11;
      if (is_chunked_) head_.chunked(true);
      head_serializer_.emplace(head_);
      allow_stall();
      // Ends when the client closes (or says more, which is taken for it), and when the stream does.
      socket_.async_wait(Socket::wait_read, [this](error_code) { server_.remove(*this); });
      http::async_write_header(socket_, *head_serializer_, [this](error_code error, std::size_t) { go_on(error); });
    }
    void go_on(error_code error) {
      if (error) return close();  // ends the wait above, which removes the connection
      chunk_.clear();
      ApiStream::State state = stream_->next(chunk_);
      stream_over_ = state == ApiStream::State::end;
      if (!chunk_.empty()) {
        allow_stall();
        if (!is_chunked_) return asio::async_write(socket_, asio::buffer(chunk_), [this, state](error_code e, std::size_t) { stream_over_ ? send_last(e) : pause(e, state); });
        auto to_send = http::make_chunk(asio::buffer(chunk_));
        if (stream_over_) return asio::async_write(socket_, to_send, [this](error_code e, std::size_t) { send_last(e); });
        return asio::async_write(socket_, to_send, [this, state](error_code e, std::size_t) { pause(e, state); });
      }
      if (stream_over_) return send_last({});
      pause({}, state);
    }
    // Between two chunks others are served; also the shards, of which a stream asks something each time.
    void pause(error_code error, ApiStream::State state) {
      if (error) return close();
      deadline_.expires_after(state == ApiStream::State::wait ? std::chrono::microseconds(100000) : std::chrono::microseconds(500));
      deadline_.async_wait([this](error_code e) {
        if (!e) go_on({});
      });
    }
    void send_last(error_code error) {
      if (error || !is_chunked_) return close();
      allow_stall();
      asio::async_write(socket_, http::make_chunk_last(), [this](error_code, std::size_t) { close(); });
    }
    // Without a bound, clients that stop reading would hold all connections for ever.
    void allow_stall() {
      deadline_.expires_after(over_tcp_ ? server_.options_.stall_timeout_tcp : server_.options_.stall_timeout);
      deadline_.async_wait([this](error_code error) {
        if (error) return;
        server_.note(server_.api_.refused().stalled, over_tcp_, "its client took nothing of the stream for too long");
        close();
      });
    }
    void arm() {
      deadline_.expires_after(server_.options_.idle_timeout);
      deadline_.async_wait([this](error_code error) {
        if (error) return;
        is_late_ = phase_ == Phase::request && (parser_->got_some() || buffer_.size() != 0);
        error_code ignored;
        // Makes the pending read or write fail: the request is answered, everything else removed.
        if (is_late_) socket_.cancel(ignored);
        else close();
      });
    }

    Impl& server_;
    Socket socket_;
    bool over_tcp_;
    Phase phase_ = Phase::request;
    Clock::time_point since_ = Clock::now();
    Access access_ = Access::none;
    asio::steady_timer deadline_;
    boost::beast::flat_buffer buffer_;
    std::optional<http::request_parser<http::string_body>> parser_;
    http::response<http::string_body> response_;
    std::unique_ptr<ApiStream> stream_;
    http::response<http::empty_body> head_;
    std::optional<http::response_serializer<http::empty_body>> head_serializer_;
    std::string chunk_;
    bool stream_over_ = false, is_chunked_ = true;
    bool is_late_ = false;        // a request has begun, and its time is over
    bool leaves_unread_ = false;  // the answer goes out before the request is read
    std::size_t thrown_away_ = 0;
  };

  Impl(const ServerOptions& options, Api& api, int fd)
      : options_(options), api_(api), acceptor_(io_, asio::local::stream_protocol(), fd), tick_(io_) {}

  // The error is a sentence.
  std::string listen_on_tcp() {
    const wire::IpAddress& a = options_.address;
    asio::ip::tcp::endpoint endpoint(asio::ip::make_address(wire::format_ip(a)), options_.port);
    error_code error;
    tcp_acceptor_.open(endpoint.protocol(), error);
    if (!error) tcp_acceptor_.set_option(asio::ip::tcp::acceptor::reuse_address(true), error);
    if (!error) tcp_acceptor_.bind(endpoint, error);
    if (!error) tcp_acceptor_.listen(asio::socket_base::max_listen_connections, error);
    return error ? fmt::format("control {} port {}: {}", wire::format_ip(a), options_.port, error.message()) : std::string();
  }

  // While all are being answered the next ones wait in the kernel's queue.
  void accept() {
    if (!accepting_ && (has_room(false) || longest_waiting(false) != nullptr)) accept_from(acceptor_, accepting_, false);
    if (tcp_acceptor_.is_open() && !accepting_tcp_ && (has_room(true) || longest_waiting(true) != nullptr)) accept_from(tcp_acceptor_, accepting_tcp_, true);
  }
  bool has_room(bool tcp) const {
    auto counts = [tcp](const Connection& one) { return !one.has_been_closed() && (!tcp || one.over_tcp()); };
    return static_cast<std::size_t>(std::ranges::count_if(connections_, counts)) < options_.max_connections / (tcp ? 2 : 1);
  }
  Connection* longest_waiting(bool tcp) {
    Connection* found = nullptr;
    for (Connection& one : connections_)
      if (one.over_tcp() == tcp && one.waiting_since() && (found == nullptr || *one.waiting_since() < *found->waiting_since())) found = &one;
    return found;
  }
  // A request or connection that the transport refuses.
  void note(std::uint64_t& counter, bool tcp, std::string_view why) {
    ++counter;
    pace(why, tcp);
  }
  void pace(std::string_view why, bool tcp) {
    if (auto more = pace_.admit(Clock::now()))
      log::warn("control: a request over {} is refused: {} ({} more since the last line)", tcp ? "TCP" : "the Unix socket", why, *more);
  }

  template <class Acceptor>
  void accept_from(Acceptor& acceptor, bool& accepting, bool tcp) {
    accepting = true;
    acceptor.async_accept([this, &accepting, tcp](error_code error, typename Acceptor::protocol_type::socket socket) {
      accepting = false;
      if (error == asio::error::operation_aborted) return;
      if (error) {
        // Out of descriptors, mostly: try again with the next tick rather than spin.
        log::warn("control: accept failed: {}", error.message());
        return;
      }
      if (!has_room(tcp)) {
        Connection* other = longest_waiting(tcp);
        if (other == nullptr) {  // all the others are being answered, or do not take their answers
          note(api_.refused().crowded, tcp, "all connections were being answered");
          say_crowded(socket.native_handle(), "too many connections, and all are being answered", "try again in a second");
          return;  // the next ones wait in the kernel's queue
        }
        other->crowd_out();
      }
      connections_.emplace_front(*this, Socket(std::move(socket)), tcp);
      connections_.front().self = connections_.begin();
      connections_.front().read();
      accept();
    });
  }
  // Not at once: handlers of the connection may still be on their way.
  void remove(Connection& connection) {
    connection.close();
    asio::post(io_, [this, self = connection.self] {
      closed_.splice(closed_.begin(), connections_, self);
      asio::post(io_, [this] { closed_.pop_back(); });
      accept();
    });
  }
  void tick() {
    auto start = std::chrono::steady_clock::now();
    reflector::SummaryView summary = api_.tick(start);
    if (options_.on_tick) options_.on_tick(summary);
    auto cost = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start);
    accept();
    tick_.expires_after(std::max(options_.tick_interval, std::min(cost * 50, options_.longest_tick_interval)));
    tick_.async_wait([this](error_code error) {
      if (!error) tick();
    });
  }
  void run() {
    pthread_setname_np(pthread_self(), "helio-control");
    accept();
    tick();
    io_.run();
  }

  ServerOptions options_;
  Api& api_;
  asio::io_context io_{1};
  asio::local::stream_protocol::acceptor acceptor_;
  asio::ip::tcp::acceptor tcp_acceptor_{io_};
  asio::steady_timer tick_;
  bool accepting_ = false, accepting_tcp_ = false;
  std::list<Connection> connections_;
  std::list<Connection> closed_;
  log::LogPace pace_;
  std::thread thread_;
};

Result<std::unique_ptr<Server>, std::string> Server::start(const ServerOptions& options, Api& api) {
  auto fd = listen_on_socket_file(options.socket, options.mode, options.group);
  if (!fd) return Unexpected(fd.error());
  auto impl = std::make_unique<Impl>(options, api, *fd);
  if (options.port != 0)
    if (std::string error = impl->listen_on_tcp(); !error.empty()) {
      ::unlink(options.socket.c_str());
      return Unexpected(error);
    }
  impl->thread_ = std::thread([&server = *impl] { server.run(); });
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

void Server::post(std::function<void()> function) { asio::post(impl_->io_, std::move(function)); }

Server::~Server() {
  impl_->io_.stop();
  impl_->thread_.join();
  ::unlink(impl_->options_.socket.c_str());
}

}  // namespace helio::control

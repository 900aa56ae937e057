// One io_context, one thread: requests are answered one after the other, which is what keeps the load that operators
// put on the shards bounded; streams are answered a chunk at a time in between. Connections beyond the limit wait in the kernel's queue. The only file that sees Beast.
#include "rr/control/server.hpp"

#include <fmt/format.h>
#include <pthread.h>
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
#include "rr/control/json_text.hpp"
#include "rr/control/socket_file.hpp"

namespace helio::control {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using Socket = asio::generic::stream_protocol::socket;  // Unix or TCP

}  // namespace

struct Server::Impl {
  // One client: read a request, answer it, again. Lives in `connections_` from accept to close.
  class Connection {
   public:
    Connection(Impl& server, Socket socket, bool over_tcp) : server_(server), socket_(std::move(socket)), over_tcp_(over_tcp), deadline_(server.io_) {
      if (!over_tcp_) access_ = access_of_socket(server_.options_.access, socket_.native_handle());
    }
    bool over_tcp() const { return over_tcp_; }

    void read() {
      parser_.emplace();
      parser_->header_limit(static_cast<std::uint32_t>(server_.options_.max_header_bytes));
      parser_->body_limit(server_.options_.max_body_bytes);
      arm();
      http::async_read(socket_, buffer_, *parser_, [this](error_code error, std::size_t) { on_read(error); });
    }
    void close() {
      error_code ignored;
      deadline_.cancel();
      socket_.close(ignored);
    }
    std::list<Connection>::iterator self;

   private:
    void on_read(error_code error) {
      if (error == http::error::body_limit)
        return refuse(413, "body_too_large", "the body is too large", "at most 64 KiB");
      if (error == http::error::header_limit || error == http::error::buffer_overflow)
        return refuse(431, "header_too_large", "the request's header is too large", "at most 8 KiB");
      // What the parser cannot understand is answered; a connection that ended or timed out is not.
      if (error && error.category() == http::make_error_code(http::error::bad_version).category() &&
          error != http::error::end_of_stream && error != http::error::partial_message)
        return refuse(400, "bad_request", "not an HTTP/1.1 request", "curl --unix-socket SOCKET http://localhost/v1/summary");
      if (error) return server_.remove(*this);
      const auto& request = parser_->get();
      auto view = [](auto text) { return std::string_view(text.data(), text.size()); };
      const AccessRules& rules = server_.options_.access;
      if (over_tcp_) access_ = access_of_token(rules, view(request[http::field::authorization]));
      std::string hint = access_ == Access::reader ? how_to_change(rules, over_tcp_) : std::string();
      ApiResponse answer = server_.api_.handle({view(request.method_string()), view(request.target()), request.body(), access_, hint});
      if (answer.stream) stream(std::move(answer));
      else write(answer, parser_->keep_alive());
    }
    void refuse(unsigned status, std::string word, std::string message, std::string hint) {
      ApiProblem problem{status, std::move(word), std::move(message), std::move(hint)};
      ApiResponse answer;
      answer.status = status;
      answer.body = to_text(problem_json(problem)) + "\n";
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
      arm();
      http::async_write(socket_, response_, [this](error_code error, std::size_t) {
        if (error || !response_.keep_alive()) return server_.remove(*this);
        read();
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
      head_.chunked(true);
      head_serializer_.emplace(head_);
      deadline_.cancel();
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
      if (error) return close();
      asio::async_write(socket_, http::make_chunk_last(), [this](error_code, std::size_t) { close(); });
    }
    void arm() {
      deadline_.expires_after(server_.options_.idle_timeout);
      deadline_.async_wait([this](error_code error) {
        // Closing makes the pending read or write fail, which removes the connection.
        if (!error) close();
      });
    }

    Impl& server_;
    Socket socket_;
    bool over_tcp_;
    Access access_ = Access::none;
    asio::steady_timer deadline_;
    boost::beast::flat_buffer buffer_;
    std::optional<http::request_parser<http::string_body>> parser_;
    http::response<http::string_body> response_;
    std::unique_ptr<ApiStream> stream_;
    http::response<http::empty_body> head_;
    std::optional<http::response_serializer<http::empty_body>> head_serializer_;
    std::string chunk_;
    bool stream_over_ = false;
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

  void accept() {
    accept_unix();
    if (tcp_acceptor_.is_open() && !accepting_tcp_ && over_tcp() < options_.max_connections / 2) accept_from(tcp_acceptor_, accepting_tcp_, true);
  }
  void accept_unix() {
    if (!accepting_ && connections_.size() < options_.max_connections) accept_from(acceptor_, accepting_, false);
  }
  std::size_t over_tcp() const { return static_cast<std::size_t>(std::ranges::count_if(connections_, &Connection::over_tcp)); }

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
    tick_.expires_after(std::max(options_.tick_interval, cost * 50));
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

// One io_context, one thread: requests are answered one after the other, which is what keeps the load that operators
// put on the shards bounded. Connections beyond the limit wait in the kernel's queue. The only file that sees Beast.
#include "rr/control/server.hpp"

#include <pthread.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
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
using Socket = asio::local::stream_protocol::socket;

}  // namespace

struct Server::Impl {
  // One client: read a request, answer it, again. Lives in `connections_` from accept to close.
  class Connection {
   public:
    Connection(Impl& server, Socket socket) : server_(server), socket_(std::move(socket)), deadline_(server.io_) {}

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
      ApiResponse answer = server_.api_.handle({view(request.method_string()), view(request.target()), request.body()});
      write(answer, parser_->keep_alive());
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
    void arm() {
      deadline_.expires_after(server_.options_.idle_timeout);
      deadline_.async_wait([this](error_code error) {
        // Closing makes the pending read or write fail, which removes the connection.
        if (!error) close();
      });
    }

    Impl& server_;
    Socket socket_;
    asio::steady_timer deadline_;
    boost::beast::flat_buffer buffer_;
    std::optional<http::request_parser<http::string_body>> parser_;
    http::response<http::string_body> response_;
  };

  Impl(const ServerOptions& options, Api& api, int fd)
      : options_(options), api_(api), acceptor_(io_, asio::local::stream_protocol(), fd), tick_(io_) {}

  void accept() {
    accepting_ = true;
    acceptor_.async_accept([this](error_code error, Socket socket) {
      accepting_ = false;
      if (error == asio::error::operation_aborted) return;
      if (error) {
        // Out of descriptors, mostly: try again with the next tick rather than spin.
        log::warn("control: accept failed: {}", error.message());
        return;
      }
      connections_.emplace_front(*this, std::move(socket));
      connections_.front().self = connections_.begin();
      connections_.front().read();
      if (connections_.size() < options_.max_connections) accept();
    });
  }
  // Not at once: handlers of the connection may still be on their way.
  void remove(Connection& connection) {
    connection.close();
    asio::post(io_, [this, self = connection.self] {
      closed_.splice(closed_.begin(), connections_, self);
      asio::post(io_, [this] { closed_.pop_back(); });
      if (!accepting_ && connections_.size() < options_.max_connections) accept();
    });
  }
  void tick() {
    auto start = std::chrono::steady_clock::now();
    reflector::SummaryView summary = api_.tick(start);
    if (options_.on_tick) options_.on_tick(summary);
    auto cost = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start);
    if (!accepting_ && connections_.size() < options_.max_connections) accept();
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
  asio::steady_timer tick_;
  bool accepting_ = false;
  std::list<Connection> connections_;
  std::list<Connection> closed_;
  std::thread thread_;
};

Result<std::unique_ptr<Server>, std::string> Server::start(const ServerOptions& options, Api& api) {
  auto fd = listen_on_socket_file(options.socket, options.mode, options.group);
  if (!fd) return Unexpected(fd.error());
  auto impl = std::make_unique<Impl>(options, api, *fd);
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

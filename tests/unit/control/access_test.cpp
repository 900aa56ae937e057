// Who may do what over the control API (H7 D): tokens, token files, the user behind a Unix socket.
#include "rr/control/access.hpp"

#include <gmock/gmock.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>

#include "rr/config/token_file.hpp"
#include "rr/control/api.hpp"
#include "tests/unit/control/fake_state.hpp"

namespace helio::control {
namespace {

using testing::HasSubstr;

class AccessTest : public testing::Test {
 protected:
  AccessTest() { std::filesystem::create_directories(directory_); }
  ~AccessTest() override { std::filesystem::remove_all(directory_); }
  std::string file(const std::string& name, const std::string& content, mode_t mode = 0600) {
    std::string path = directory_ + "/" + name;
    std::ofstream(path) << content;
    ::chmod(path.c_str(), mode);
    return path;
  }
  std::string directory_ = testing::TempDir() + "helio-access-" + std::to_string(::getpid());
};

TEST(Tokens, AreTheSameOnlyWhenTheyAre) {
  EXPECT_TRUE(is_same_token("0123456789abcdef", "0123456789abcdef"));
  for (const char* other : {"", "0", "0123456789abcdeF", "0123456789abcde", "0123456789abcdef0", "0123456789abcdef0123456789abcdef"})
    EXPECT_FALSE(is_same_token(other, "0123456789abcdef")) << other;
  EXPECT_FALSE(is_same_token("", ""));
}

TEST_F(AccessTest, TokenFiles) {
  EXPECT_EQ(*config::read_token_file(file("good", "0123456789abcdef\r\nmore\n")), Secret("0123456789abcdef"));
  EXPECT_EQ(*config::read_token_file(file("group", "0123456789abcdef", 0640)), Secret("0123456789abcdef"));
  auto error = [&](const std::string& path) {
    auto token = config::read_token_file(path);
    return token ? "it was taken" : token.error();
  };
  EXPECT_THAT(error(file("open", "0123456789abcdef\n", 0644)), HasSubstr("everybody may read"));
  EXPECT_THAT(error(file("short", "0123456789\n")), HasSubstr("has 10 characters"));
  EXPECT_THAT(error(file("empty", "")), HasSubstr("has 0 characters"));
  EXPECT_THAT(error(file("long", std::string(1025, 'x'))), HasSubstr("16 to 1024"));
  EXPECT_THAT(error(file("spaces", "0123456789 abcdef\n")), HasSubstr("spaces"));
  EXPECT_THAT(error(directory_ + "/none"), HasSubstr("No such file"));
  EXPECT_THAT(error(directory_), HasSubstr("is not a file"));
}

TEST_F(AccessTest, TokensOpenWhatTheyAreFor) {
  AccessRules rules = *make_access_rules("", file("full", "full-token-of-sixteen\n"), file("read", "read-token-of-sixteen\n"));
  EXPECT_EQ(access_of_token(rules, "Bearer full-token-of-sixteen"), Access::full);
  EXPECT_EQ(access_of_token(rules, "bearer  read-token-of-sixteen"), Access::reader);
  for (const char* other : {"", "Bearer", "Bearer ", "full-token-of-sixteen", "Basic full-token-of-sixteen", "Bearer full-token-of-sixteem", "Bearer read-token-of-sixteenfull-token-of-sixteen"})
    EXPECT_EQ(access_of_token(rules, other), Access::none) << other;
  // A new token counts at once, a file that others may read does not.
  file("full", "another-token-of-sixteen\n");
  EXPECT_EQ(access_of_token(rules, "Bearer full-token-of-sixteen"), Access::none);
  EXPECT_EQ(access_of_token(rules, "Bearer another-token-of-sixteen"), Access::full);
  file("full", "another-token-of-sixteen\n", 0644);
  EXPECT_EQ(access_of_token(rules, "Bearer another-token-of-sixteen"), Access::none);
  EXPECT_EQ(access_of_token(AccessRules{}, "Bearer another-token-of-sixteen"), Access::none) << "no file, no access";
}

TEST_F(AccessTest, SocketsAreOfUsersAndGroups) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  EXPECT_EQ(access_of_socket(AccessRules{}, ends[0]), Access::full) << "without a group of operators";
  EXPECT_FALSE(make_access_rules("no-such-group-here", "", ""));
  AccessRules rules;
  rules.operators = ::getegid();
  EXPECT_EQ(access_of_socket(rules, ends[0]), Access::full) << "this very user";
  EXPECT_EQ(access_of_socket(rules, -1), Access::reader) << "nobody knows who it is";
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(ApiAccess, ReadersLookAndOperatorsChange) {
  FakeState state;
  Api api(state, nullptr, [] { return std::make_shared<const config::Config>(); });
  auto status = [&](const char* method, const char* target, Access access) { return api.handle({method, target, "", access, "ask somebody"}).status; };
  EXPECT_EQ(status("GET", "/v1/summary", Access::reader), 200u);
  EXPECT_EQ(status("POST", "/v1/log:debug", Access::full), 501u) << "it got to the daemon, which takes no actions here";
  EXPECT_EQ(api.refused().forbidden + api.refused().unauthorized, 0u);
  EXPECT_EQ(status("POST", "/v1/log:debug", Access::reader), 403u);
  EXPECT_EQ(status("POST", "/v1/config:reload", Access::reader), 403u);
  EXPECT_EQ(status("GET", "/v1/summary", Access::none), 401u);
  EXPECT_EQ(status("GET", "/v1/nothing", Access::none), 401u) << "and learns nothing about what there is";
  EXPECT_EQ(api.refused().forbidden, 2u);
  EXPECT_EQ(api.refused().unauthorized, 2u);
  EXPECT_THAT(api.handle({"POST", "/v1/peers/192.0.2.11:clear", "", Access::reader, "ask somebody"}).body, testing::AllOf(HasSubstr("you may only look"), HasSubstr("ask somebody")));
  // Every change is a POST.
  for (const char* target : {"/v1/config:diff", "/v1/events", "/v1/dump/mrt"}) EXPECT_NE(status("GET", target, Access::reader), 403u);
}

}  // namespace
}  // namespace helio::control

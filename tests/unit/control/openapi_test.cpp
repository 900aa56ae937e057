// The OpenAPI document against the server: the same paths, methods and parameters, and schemas that are strict enough to notice a
// field that is added or renamed. The answers of api_test.cpp are all held against it too (openapi_check.hpp).
#include <gmock/gmock.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "rr/config/load.hpp"
#include "rr/control/endpoints.hpp"
#include "tests/unit/control/fake_config_control.hpp"
#include "tests/unit/control/fake_state.hpp"
#include "tests/unit/control/openapi_check.hpp"

namespace helio::control {
namespace {

namespace json = boost::json;
using testing::HasSubstr;

// "GET /v1/rd limit"
std::set<std::string> documented() {
  std::set<std::string> out;
  for (const auto& [path, item] : openapi().at("paths").as_object())
    for (const auto& [method, operation] : item.as_object()) {
      std::string line = (method == "get" ? "GET " : "POST ") + std::string(path.data(), path.size());
      std::set<std::string> parameters;
      if (const json::value* list = operation.as_object().if_contains("parameters"))
        for (const json::value& p : list->as_array())
          if (p.at("in") == "query") parameters.emplace(text(p.at("name")));
      for (const std::string& p : parameters) line += " " + p;
      out.insert(line);
    }
  return out;
}

TEST(OpenApi, HasThePathsAndParametersThatTheServerKnows) {
  std::set<std::string> known;
  for (const Endpoint& e : endpoints()) {
    std::set<std::string> parameters;
    for (std::string_view p : e.parameters)
      if (!p.empty()) parameters.emplace(p);
    std::string line = std::string(e.method) + " " + std::string(e.path);
    for (const std::string& p : parameters) line += " " + p;
    EXPECT_TRUE(known.insert(line).second) << line;
  }
  EXPECT_EQ(documented(), known);
}

// What is in the table has a handler.
TEST(OpenApi, EveryPathIsAnswered) {
  FakeState state;
  FakeExports exports;
  auto config = std::make_shared<const config::Config>(*config::parse_config("[global]\nas = 65000\nrouter-id = \"192.0.2.1\"\n", "rr.toml", "/etc"));
  Api api(state, nullptr, [&] { return config; });
  api.serve(exports);
  for (const Endpoint& e : endpoints()) {
    std::string path(e.path);
    if (std::size_t brace = path.find('{'); brace != std::string::npos) path.replace(brace, path.find('}') - brace + 1, path.find("log") != std::string::npos ? "debug" : "192.0.2.11");
    ApiResponse response = api.handle({e.method, path, ""});
    EXPECT_EQ(undocumented({e.method, path, ""}, response), "") << e.method << " " << path << ": " << response.body;
    EXPECT_NE(response.status, 404u) << e.method << " " << path;
    EXPECT_NE(response.status, 405u) << e.method << " " << path;
  }
}

TEST(OpenApi, IsServed) {
  FakeState state;
  Api api(state, nullptr, [] { return std::make_shared<const config::Config>(); });
  EXPECT_EQ(json::parse(api.handle({"GET", "/v1/openapi", ""}).body), openapi());
  std::ifstream file(HELIO_SOURCE_DIR "/rr/control/openapi.json");
  std::ostringstream committed;
  committed << file.rdbuf();
  EXPECT_EQ(openapi_document(), committed.str());
}

// Which golden answer is of which schema. Each is used, and each golden answer is there.
const std::pair<const char*, const char*> kGoldens[] = {
    {"bmp", "Bmp"},           {"churn", "Churn"},       {"config", "Config"},     {"config_diff", "ConfigReport"}, {"encoding_classes", "EncodingClasses"},
    {"explain", "Explanation"}, {"explain_at", "PastExplanation"}, {"explain_peer", "Diagnosis"}, {"explain_rt", "RtExplanation"}, {"health", "Health"},
    {"history", "History"},   {"latency", "Latency"},   {"legacy_peers", "LegacyPeers"}, {"memory", "Memory"},   {"mrt", "Mrt"},
    {"nexthops", "NextHops"}, {"peer", "Peer"},         {"peers", "Peers"},       {"policies", "Policies"},        {"rd", "Rds"},
    {"routes", "Routes"},     {"rt", "RouteTargets"},   {"rtc", "Memberships"},   {"shards", "Shards"},            {"summary", "Summary"}};

json::value golden(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream content;
  content << file.rdbuf();
  return json::parse(content.str());
}

TEST(OpenApi, GoldenAnswersAreValid) {
  std::set<std::string> seen;
  for (const auto& [name, schema] : kGoldens) {
    json::value value = golden(std::string(HELIO_SOURCE_DIR "/tests/golden/api/") + name + ".json");
    EXPECT_EQ(mismatch(openapi().at("components").at("schemas").at(schema), value), "") << name;
    seen.insert(std::string(name) + ".json");
  }
  for (const auto& entry : std::filesystem::directory_iterator(HELIO_SOURCE_DIR "/tests/golden/api"))
    EXPECT_TRUE(seen.contains(entry.path().filename().string())) << entry.path() << " has no schema here";
}

// Every field of every object of an answer: taken away, renamed or joined by another one, it is noticed.
void spoil(const json::value& schema, json::value& root, json::value& at, std::size_t& fields) {
  if (at.is_array())
    for (json::value& item : at.as_array()) spoil(schema, root, item, fields);
  if (!at.is_object()) return;
  std::vector<std::string> names;
  for (const auto& [name, value] : at.as_object()) names.emplace_back(name.data(), name.size());
  json::object whole = at.as_object();
  for (const std::string& name : names) {
    if (name == "payload" || name == "impact") continue;  // need not be there
    at = whole;
    at.as_object().erase(name);
    EXPECT_NE(mismatch(schema, root), "") << "without " << name;
    at.as_object()[name + "_"] = whole.at(name);
    EXPECT_NE(mismatch(schema, root), "") << "with " << name << "_";
    ++fields;
  }
  at = whole;
  at.as_object()["another"] = 1;
  EXPECT_NE(mismatch(schema, root), "") << "with another field beside " << names.front();
  at = whole;
  for (const std::string& name : names)
    if (name != "config") spoil(schema, root, at.as_object().at(name), fields);  // has fields of its own
}

TEST(OpenApi, SchemasNoticeFieldsThatAreNotTheirs) {
  std::size_t fields = 0;
  for (const auto& [name, schema] : kGoldens) {
    json::value value = golden(std::string(HELIO_SOURCE_DIR "/tests/golden/api/") + name + ".json");
    spoil(openapi().at("components").at("schemas").at(schema), value, value, fields);
  }
  EXPECT_GT(fields, 500u);
}

TEST(OpenApi, EverySchemaIsUsed) {
  std::string document = json::serialize(openapi());
  for (const auto& [name, schema] : openapi().at("components").at("schemas").as_object())
    EXPECT_THAT(document, HasSubstr("\"#/components/schemas/" + std::string(name.data(), name.size()) + "\""));
}

}  // namespace
}  // namespace helio::control

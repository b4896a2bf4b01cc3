// Lists every server of every cloud: list-servers HOST:PORT [AUTHORITY.pem]
//
// Without the authority's file there is no TLS, for a server on this machine. OAKTREE_TOKEN may hold "CLOUD TOKEN".

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>

#include <grpcpp/grpcpp.h>

#include "oaktree/v1/compute.grpc.pb.h"

using oaktree::v1::ComputeService;
using oaktree::v1::ListServersRequest;
using oaktree::v1::ListServersResponse;

namespace {

std::shared_ptr<grpc::ChannelCredentials> Credentials(const char* authority) {
  if (authority == nullptr) return grpc::InsecureChannelCredentials();
  std::ifstream file(authority);
  grpc::SslCredentialsOptions options;
  options.pem_root_certs.assign(std::istreambuf_iterator<char>(file), {});
  return grpc::SslCredentials(options);
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 2 || count > 3) {
    std::cerr << "usage: " << arguments[0] << " HOST:PORT [AUTHORITY.pem]\n";
    return 2;
  }
  auto channel = grpc::CreateChannel(arguments[1], Credentials(count == 3 ? arguments[2] : nullptr));
  auto compute = ComputeService::NewStub(channel);

  grpc::ClientContext context;
  if (const char* token = std::getenv("OAKTREE_TOKEN")) {
    if (count < 3) {
      std::cerr << "a token does not go without TLS: name the authority's file\n";
      return 2;
    }
    context.AddMetadata("x-oaktree-token", token);
  }

  // No location: everywhere. Each cloud's servers come as soon as it has answered.
  auto answers = compute->ListServers(&context, ListServersRequest());
  ListServersResponse answer;
  while (answers->Read(&answer)) {
    for (const auto& server : answer.servers()) {
      std::cout << server.location().cloud() << " " << server.name() << " " << server.status() << "\n";
    }
    for (const auto& result : answer.summary().results()) {
      if (result.has_error()) std::cerr << result.location().cloud() << ": " << result.error().message() << "\n";
    }
  }
  grpc::Status status = answers->Finish();
  if (!status.ok()) std::cerr << status.error_message() << "\n";
  return status.ok() ? 0 : 1;
}

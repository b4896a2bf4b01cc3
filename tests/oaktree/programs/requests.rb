require "oaktree"

# Adds the credential to every call.
class Credential < GRPC::ClientInterceptor
  def request_response(request:, call:, method:, metadata:)
    metadata["x-oaktree-token"] = ENV.fetch("OAKTREE_TOKEN")
    yield
  end
end

target, *requests = ARGV
clouds = Oaktree::V1::CloudService::Stub.new(target, :this_channel_is_insecure, interceptors: [Credential.new])
compute = Oaktree::Rest.new(clouds, Oaktree::V1::Location.new(cloud: "one"), "compute")
requests.each_slice(2) do |method, path|
  headers = { "X-Mine" => "kept", "Cookie" => "mine" }
  puts compute.request(Net::HTTP.const_get(method.capitalize), path, nil, headers).code
rescue StandardError => e
  puts "error: #{e.message}"
end

require "oaktree"

target, *requests = ARGV
clouds = Oaktree::V1::CloudService::Stub.new(target, :this_channel_is_insecure)
compute = Oaktree::Rest.new(clouds, Oaktree::V1::Location.new(cloud: "one"), "compute")
requests.each_slice(2) do |method, path|
  headers = { "X-Mine" => "kept", "Cookie" => "mine" }
  puts compute.request(Net::HTTP.const_get(method.capitalize), path, nil, headers).code
rescue StandardError => e
  puts "error: #{e.message}"
end

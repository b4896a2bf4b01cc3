# A client of oaktree: one gRPC API for all clouds. Messages and stubs are in Oaktree::V1.

require "oaktree/rest"
Dir[File.join(__dir__, "oaktree/v1/*_services_pb.rb")].sort.each { |file| require file }

-- Runs in each listener before the route is chosen; Envoy forgets the route found so far when a request header changes,
-- so a key minted here already decides where the first request goes.
-- The route's settings (header, cookie, max_age, group) come as the filter context of its virtual host.

local function cookie(line, name)
  for key, value in string.gmatch(line or "", "([^;=%s]+)%s*=%s*([^;]*)") do
    if key == name then return value:match("^(.-)%s*$") end
  end
end

local function present(value)
  if value ~= nil and value ~= "" then return value end
end

local function named(context, name)
  return present(context:get(name))
end

local function sticky_key(context, headers)
  local header, name = named(context, "header"), named(context, "cookie")
  local cookies = headers:get("cookie")
  return (header and present(headers:get(header)))
    or (name and present(cookie(cookies, name)))
    or present(headers:get("x-agent-session"))
    or present(cookie(cookies, "agent-session"))
end

-- The caller's stain of this agent's group asks for a cohort; the stains of other groups travel on.
local function read_stains(headers, group)
  local others = ""
  for name, cohort in string.gmatch(headers:get("x-agent-stain") or "", "([%w._-]+)=(%l+)") do
    if name == group then
      headers:replace("x-agent-stain-cohort", cohort)
    elseif #others < 512 then
      others = others .. "," .. name .. "=" .. cohort
    end
  end
  headers:replace("x-agent-stain-others", others)
end

function envoy_on_request(handle)
  local context, headers = handle:filterContext(), handle:headers()
  -- A shadow belongs to no user: it has no key, and gets none.
  if headers:get("x-agent-shadow") ~= nil then return end
  local key = sticky_key(context, headers)
  if key == nil then
    key = headers:get("x-agent-minted")
    handle:streamInfo():dynamicMetadata():set("agentrollouts", "minted", key)
  end
  headers:replace("x-agent-session", key)
  local group = named(context, "group")
  if group then read_stains(headers, group) end
end

function envoy_on_response(handle)
  local headers = handle:headers()
  local own = handle:streamInfo():dynamicMetadata():get("agentrollouts")
  if own and own.minted then
    local max_age = named(handle:filterContext(), "max_age") or ""
    headers:replace("x-agent-session", own.minted)
    headers:add("set-cookie", "agent-session=" .. own.minted .. "; Path=/;" .. max_age .. " HttpOnly; SameSite=Lax")
  end
  if headers:get("x-agent-cohort") == nil or headers:get("x-routed-version") == nil then
    headers:replace("x-agent-cohort", "none")
    headers:replace("x-routed-version", "none")
  end
end
